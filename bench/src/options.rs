//! The words behind a subcommand.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

use crate::cell::Backend;

/// `--name value` pairs and `--flags`, in any order.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    words: &'a [String],
}

impl<'a> Options<'a> {
    /// Takes the words, if each of them is one of these.
    pub fn parse(words: &'a [String], flags: &[&str], named: &[&str]) -> Result<Self> {
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let is_named = named.contains(&&**word);
            ensure!(is_named || flags.contains(&&**word), "{word} is not understood here");
            ensure!(!is_named || rest.next().is_some(), "{word} needs a value");
        }
        Ok(Self { words })
    }

    pub fn has(&self, flag: &str) -> bool {
        self.words.iter().any(|word| word == flag)
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        let at = self.words.iter().position(|word| word == name)?;
        self.words.get(at + 1).map(String::as_str)
    }

    pub fn number(&self, name: &str, otherwise: usize) -> Result<usize> {
        let Some(text) = self.get(name) else { return Ok(otherwise) };
        text.parse().with_context(|| format!("{name} {text}"))
    }

    /// What is given as `a,b,c`, each of it read by `parse`.
    pub fn list<T>(&self, name: &str, otherwise: &str, parse: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
        let text = self.get(name).unwrap_or(otherwise);
        text.split(',').map(|part| parse(part).with_context(|| format!("{name} {part}"))).collect()
    }
}

/// Where the servers are: `redis=redis://…,postgres=…`.
#[derive(Clone, Debug, Default)]
pub struct Urls(BTreeMap<Backend, String>);

impl Urls {
    pub fn parse(text: &str) -> Result<Self> {
        let mut urls = BTreeMap::new();
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let (name, url) = pair.split_once('=').context("--urls BACKEND=URL,…")?;
            let backend =
                Backend::ALL.into_iter().find(|backend| backend.name() == name && backend.is_server());
            urls.insert(backend.with_context(|| format!("{name} is no server"))?, url.to_owned());
        }
        Ok(Self(urls))
    }

    pub fn has(&self, backend: Backend) -> bool {
        self.0.contains_key(&backend)
    }

    pub fn of(&self, backend: Backend) -> Option<&str> {
        self.0.get(&backend).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, Urls};
    use crate::cell::Backend;

    #[test]
    fn words_are_flags_and_pairs_and_nothing_else() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let given = words("--quick --threads 8");
        let options = Options::parse(&given, &["--quick"], &["--threads", "--times"]).unwrap();
        assert!(options.has("--quick") && !options.has("--slow"));
        assert_eq!(options.get("--threads"), Some("8"));
        assert_eq!(options.number("--threads", 2).unwrap(), 8);
        assert_eq!(options.number("--times", 2).unwrap(), 2);
        for wrong in ["--threads", "--other", "more", "--quick --threads"] {
            assert!(Options::parse(&words(wrong), &["--quick"], &["--threads"]).is_err(), "{wrong}");
        }
        let wrong = words("--threads many");
        assert!(Options::parse(&wrong, &[], &["--threads"]).unwrap().number("--threads", 1).is_err());
    }

    #[test]
    fn urls_have_the_names_of_servers() {
        let urls = Urls::parse("redis=redis://h:1/?a=b,postgres=postgres://h").unwrap();
        assert_eq!(urls.of(Backend::Redis), Some("redis://h:1/?a=b"));
        assert!(urls.has(Backend::Postgres) && !urls.has(Backend::Mariadb) && !urls.has(Backend::Memory));
        assert!(Urls::parse("memory=x").is_err() && Urls::parse("redis").is_err());
        assert!(Urls::parse("").is_ok());
    }
}
