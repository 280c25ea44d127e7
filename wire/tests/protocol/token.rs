//! Words of a script line: `word`, `"text\n"`, `x'00ff'`, `[list, of, tokens]`, `key=token`.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Bytes(Vec<u8>),
    List(Vec<Token>),
    Key(String, Box<Token>),
}

impl Token {
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Token::Word(word) => word.clone().into_bytes(),
            Token::Bytes(bytes) => bytes.clone(),
            other => panic!("{other:?} is no text"),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    pub fn number(&self) -> i64 {
        self.text().parse().unwrap_or_else(|_| panic!("{self:?} is no number"))
    }

    pub fn items(&self) -> &[Token] {
        match self {
            Token::List(items) => items,
            single => std::slice::from_ref(single),
        }
    }
}

pub fn tokens(line: &str) -> Vec<Token> {
    let mut rest = line.trim();
    let mut tokens = Vec::new();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (token, after) = token(rest);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

fn token(text: &str) -> (Token, &str) {
    if let Some(rest) = text.strip_prefix('"') {
        return quoted(rest);
    }
    if let Some(rest) = text.strip_prefix("x'") {
        let (hex, rest) = rest.split_once('\'').expect("unterminated hex");
        let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
        return (Token::Bytes(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()), rest);
    }
    if let Some(rest) = text.strip_prefix('[') {
        return list(rest);
    }
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '=')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match rest.strip_prefix('=') {
        Some(rest) => {
            let (value, rest) = token(rest);
            (Token::Key(word.to_owned(), Box::new(value)), rest)
        }
        None => (Token::Word(word.to_owned()), rest),
    }
}

fn list(mut rest: &str) -> (Token, &str) {
    let mut items = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix(']') {
            return (Token::List(items), rest);
        }
        assert!(!rest.is_empty(), "unterminated list");
        let (item, after) = token(rest);
        items.push(item);
        rest = after;
    }
}

fn quoted(text: &str) -> (Token, &str) {
    let mut bytes = Vec::new();
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return (Token::Bytes(bytes), &text[position + 1..]),
            '\\' => match characters.next().expect("unterminated escape").1 {
                'n' => bytes.push(b'\n'),
                'r' => bytes.push(b'\r'),
                't' => bytes.push(b'\t'),
                '0' => bytes.push(0),
                'x' => {
                    let hex: String = characters.by_ref().take(2).map(|(_, digit)| digit).collect();
                    bytes.push(u8::from_str_radix(&hex, 16).expect("two hex digits"));
                }
                other => bytes.extend(other.to_string().bytes()),
            },
            other => bytes.extend(other.to_string().bytes()),
        }
    }
    panic!("unterminated text in {text:?}")
}
