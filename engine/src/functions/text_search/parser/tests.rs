use super::{TOKEN_TYPES, tokens};

fn parsed(text: &str) -> String {
    let shown = |token: super::Token<'_>| {
        let alias = TOKEN_TYPES.get(token.kind as usize - 1).map_or("", |(_, alias, _)| *alias);
        format!("{alias}:{}", token.text)
    };
    tokens(text).map(shown).collect::<Vec<_>>().join("|")
}

#[test]
fn tokens_are_postgresqls() {
    for (text, expected) in [
        ("foo-bar 12", "asciihword:foo-bar|hword_asciipart:foo|blank:-|hword_asciipart:bar|blank: |uint:12"),
        (
            "http://a.com:8080/b?c d@e.org",
            "protocol:http://|url:a.com:8080/b?c|host:a.com:8080|url_path:/b?c|blank: |email:d@e.org",
        ),
        (
            "1.2 -3 +4.5 6e7 1.2.3",
            "float:1.2|blank: |int:-3|blank: |float:+4.5|blank: |sfloat:6e7|blank: |version:1.2.3",
        ),
        ("a-aa-1", "asciihword:a-aa|hword_asciipart:a|blank:-|hword_asciipart:aa|blank:-|uint:1"),
        ("a-bx1ab-1.2", "numhword:a-bx1ab|hword_asciipart:a|blank:-|hword_numpart:bx1ab|blank:-|float:1.2"),
        ("<!DOCTYPE html><br/>&amp;&#12;", "tag:<!DOCTYPE html>|tag:<br/>|entity:&amp;|entity:&#12;"),
        ("<script>a</script>b", "tag:<script>|blank:a|tag:</script>|asciiword:b"),
        ("..//e5 ~/x ab..", "file:..|blank:/|file:/e5|blank: ~|file:/x|blank: |asciiword:ab|file:.."),
        ("~a1~b", "file:~a1|file:~b"),
        ("ab+1.21.2", "asciiword:ab|blank:+|version:1.21.2"),
        ("é x1 жa1²中", "word:é|blank: |numword:x1|blank: |numword:жa1|blank:²|word:中"),
        ("a-b-", "asciihword:a-b|hword_asciipart:a|blank:-|hword_asciipart:b|blank:-"),
        ("", ""),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

/// Whatever the text is, its tokens without their parts are the text.
#[test]
fn no_text_is_lost() {
    let letters: Vec<char> = "a1é.-_/@:+~<>& ;#='\"%?!\\".chars().collect();
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push(letters[(state >> 33) as usize % letters.len()]);
        }
        let (mut at, mut whole) = (0, 0);
        for token in tokens(&text) {
            assert!(!token.text.is_empty());
            let found = text[at..].starts_with(token.text);
            // Parts stand within the token before them.
            if !found {
                at = whole;
                assert!(text[at..].starts_with(token.text), "{text}: {}", token.text);
            }
            whole = at;
            at += token.text.len();
        }
        assert_eq!(at, text.len(), "{text}");
    }
}
