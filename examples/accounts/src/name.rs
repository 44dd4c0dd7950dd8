//! What an account is called.

use std::str::FromStr;

use unicode_normalization::UnicodeNormalization as _;

#[cfg(test)]
mod tests;

/// A name has at most this many characters.
pub(crate) const LONGEST: usize = 60;

/// A name that an account may have: shown as it was typed, compared without regard to case and width.
///
/// Letters of different alphabets that look alike are different letters here. Where people see each other's names, that wants
/// more (Unicode Technical Standard 39).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    shown: String,
    key: String,
}

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameFault {
    Empty,
    TooLong,
    Unprintable,
}

impl Name {
    /// As it was typed, without the white space around it.
    pub(crate) fn as_str(&self) -> &str {
        &self.shown
    }

    /// As it is compared.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for Name {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<Self, NameFault> {
        let shown: String = text.trim().nfc().collect();
        if shown.chars().any(is_unprintable) {
            return Err(NameFault::Unprintable);
        }
        if shown.chars().count() > LONGEST {
            return Err(NameFault::TooLong);
        }
        let words: Vec<&str> = shown.split_whitespace().collect();
        let key: String =
            words.join(" ").nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
        if key.is_empty() {
            return Err(NameFault::Empty);
        }
        Ok(Self { shown, key })
    }
}

/// What is not seen, or turns around what stands beside it: the ignorable code points of Unicode (`Default_Ignorable_Code_Point`),
/// and what separates or annotates.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

impl NameFault {
    /// For the form.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "A name would help.",
            Self::TooLong => "That is a long name. Please choose one of at most 60 characters.",
            Self::Unprintable => "That name has characters that cannot be seen. Please type it anew.",
        }
    }
}
