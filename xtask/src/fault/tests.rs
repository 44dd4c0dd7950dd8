use super::Fault;

const GOOD: &str = "\
# Five is even.
file: crates/a/src/lib.rs
needs: redis
fails: -p a --test it numbers::five_is_odd
fails: -p a --lib tests::odd
replace:
    n % 2
        == 0
with:
    n % 5
        == 0
";

#[test]
fn a_fault_is_read() {
    let fault = Fault::parse("five-is-even", GOOD).unwrap();
    assert_eq!((fault.name(), fault.what()), ("five-is-even", "Five is even."));
    assert_eq!((fault.file(), fault.needs()), ("crates/a/src/lib.rs", Some("redis")));
    let proofs: Vec<_> = fault.fails().iter().map(|p| (p.target(), p.package(), p.function())).collect();
    assert_eq!(proofs, [("-p a --test it", "a", "five_is_odd"), ("-p a --lib", "a", "odd")]);
    assert_eq!(fault.fails()[0].test(), "numbers::five_is_odd");
}

#[test]
fn a_fault_is_planted_in_its_only_place() {
    let fault = Fault::parse("a", GOOD).unwrap();
    let source = "fn even(n: u8) -> bool {\n    n % 2\n        == 0\n}\n";
    assert_eq!(fault.plant(source).unwrap(), source.replace("% 2", "% 5"));
    assert!(fault.plant("fn even() {}").unwrap_err().to_string().contains("occurs 0 times"));
    assert!(fault.plant(&source.repeat(2)).unwrap_err().to_string().contains("occurs 2 times"));
}

#[test]
fn an_empty_block_takes_lines_out() {
    let fault = Fault::parse("a", &GOOD.replace("    n % 5\n        == 0\n", "\n")).unwrap();
    assert_eq!(fault.plant("a\n    n % 2\n        == 0\nb").unwrap(), "a\n\nb");
}

#[test]
fn a_fault_may_take_several_places() {
    let fault = Fault::parse("a", &format!("{GOOD}replace:\neven\nwith:\nodd\n")).unwrap();
    assert_eq!(
        fault.plant("fn even() {\n    n % 2\n        == 0\n").unwrap(),
        "fn odd() {\n    n % 5\n        == 0\n"
    );
    assert!(fault.plant("fn even() {}").is_err() && fault.plant("n % 2\n        == 0").is_err());
}

#[test]
fn what_is_no_fault_is_refused() {
    for (from, to, says) in [
        ("# Five is even.\n", "", "no `# `"),
        ("file: crates/a/src/lib.rs\n", "", "no `file:`"),
        ("needs: redis", "wants: redis", "what is"),
        ("needs: redis", "file: twice", "what is"),
        ("fails: -p a --test it numbers::five_is_odd\nfails: -p a --lib tests::odd\n", "", "no `fails:`"),
        ("-p a --lib tests::odd", "-p a tests::odd", "cannot read a `fails:`"),
        ("-p a --lib tests::odd", "-p a --lib --release tests::odd", "cannot read a `fails:`"),
        ("-p a --lib tests::odd", "-p a --lib --ignored", "cannot read a `fails:`"),
        ("\nreplace:\n", "\n", "no `replace:`"),
        ("\nwith:\n", "\n", "no `with:`"),
        ("n % 5", "n % 2", "changes nothing"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let error = Fault::parse("a", &GOOD.replace(from, to)).unwrap_err().to_string();
        assert!(error.starts_with("a.fault: ") && error.contains(says), "{error} / {says}");
    }
    for name in ["", "A", "a b", "../a", "a_b"] {
        assert!(Fault::parse(name, GOOD).is_err(), "{name:?}");
    }
}
