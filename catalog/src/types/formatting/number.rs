//! `to_char` of numbers and `to_number`.

use super::ordinal;
use super::template::{Node, numbers};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::Numeric;

/// Where the sign of `S` stands.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Anchor {
    #[default]
    None,
    Before,
    After,
}

/// What the patterns of a template amount to.
#[derive(Debug, Default)]
struct Picture {
    nodes: Vec<Node>,
    /// Digits before and after the point, and those that `V` shifts by.
    whole: usize,
    fraction: usize,
    shift: usize,
    decimal: bool,
    fill: bool,
    zero: bool,
    zero_start: usize,
    zero_end: usize,
    anchor: Anchor,
    anchored: bool,
    anchor_digits: usize,
    minus: bool,
    plus: bool,
    bracket: bool,
    roman: bool,
    multiply: bool,
    scientific: bool,
    blank: bool,
}

fn syntax(message: &str) -> Error {
    Error::new(sqlstate::SYNTAX_ERROR, message)
}

impl Picture {
    fn parse(template: &str) -> Result<Self> {
        let mut picture = Self { nodes: numbers(template), ..Self::default() };
        for node in picture.nodes.clone() {
            if let Node::Pattern(pattern) = node {
                picture.pattern(&pattern.kind())?;
            }
        }
        Ok(picture)
    }

    fn pattern(&mut self, kind: &str) -> Result<()> {
        if self.scientific && kind != "EEEE" {
            return Err(syntax("\"EEEE\" must be the last pattern used"));
        }
        match kind {
            "9" | "0" if self.bracket => return Err(syntax(&format!("\"{kind}\" must be ahead of \"PR\""))),
            "9" if self.multiply => self.shift += 1,
            "9" if self.decimal => self.fraction += 1,
            "9" => self.whole += 1,
            "0" => {
                if !self.zero && !self.decimal {
                    self.zero = true;
                    self.zero_start = self.whole;
                }
                if self.decimal {
                    self.fraction += 1
                } else {
                    self.whole += 1
                }
                self.zero_end = self.whole + self.fraction;
            }
            "B" if self.whole == 0 && self.fraction == 0 && !self.zero => self.blank = true,
            "." | "D" => {
                if self.decimal {
                    return Err(syntax("multiple decimal points"));
                }
                if self.multiply {
                    return Err(syntax("cannot use \"V\" and decimal point together"));
                }
                self.decimal = true;
            }
            "FM" => self.fill = true,
            "S" => self.sign()?,
            "MI" | "PL" | "SG" | "PR" if self.anchored => {
                return Err(syntax(&format!("cannot use \"S\" and \"{kind}\" together")));
            }
            "MI" => self.minus = true,
            "PL" => self.plus = true,
            "SG" => {
                self.minus = true;
                self.plus = true;
            }
            "PR" if self.minus || self.plus => {
                return Err(syntax("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together"));
            }
            "PR" => self.bracket = true,
            "RN" => self.roman = true,
            "V" if self.decimal => return Err(syntax("cannot use \"V\" and decimal point together")),
            "V" => self.multiply = true,
            "EEEE" => self.exponent()?,
            _ => {}
        }
        Ok(())
    }

    fn sign(&mut self) -> Result<()> {
        if self.anchored {
            return Err(syntax("cannot use \"S\" twice"));
        }
        if self.plus || self.minus || self.bracket {
            return Err(syntax("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together"));
        }
        self.anchored = true;
        if self.decimal {
            self.anchor = Anchor::After;
        } else {
            self.anchor = Anchor::Before;
            self.anchor_digits = self.whole;
        }
        Ok(())
    }

    fn exponent(&mut self) -> Result<()> {
        if self.scientific {
            return Err(syntax("cannot use \"EEEE\" twice"));
        }
        let others = self.blank
            || self.fill
            || self.anchored
            || self.bracket
            || self.minus
            || self.plus
            || self.roman
            || self.multiply;
        if others {
            return Err(syntax("\"EEEE\" is incompatible with other formats")
                .with_detail("\"EEEE\" may only be used together with digit and decimal point patterns."));
        }
        self.scientific = true;
        Ok(())
    }
}

/// `to_char(numeric, text)`.
pub fn numeric_to_char(value: &Numeric, template: &str) -> Result<String> {
    let picture = Picture::parse(template)?;
    if picture.roman {
        return Ok(picture.render(&roman(Some(value.to_i32()?.into())), '+', 0));
    }
    if picture.scientific {
        return scientific(value, &picture);
    }
    let mut shown = value.clone();
    if picture.multiply {
        let factor = Numeric::from(10).power(&Numeric::from(picture.shift as i64))?;
        shown = shown.mul(&factor)?;
    }
    let rounded = shown.round(picture.fraction as i32)?.to_string();
    Ok(picture.finish(&rounded))
}

/// `to_char(integer, text)`, `to_char(bigint, text)`.
pub fn integer_to_char(value: i64, template: &str) -> Result<String> {
    numeric_to_char(&Numeric::from(value), template)
}

/// `to_char(double precision, text)`: no more digits than the type keeps.
pub fn float8_to_char(value: f64, template: &str) -> Result<String> {
    float_to_char(value, 15, template)
}

/// `to_char(real, text)`.
pub fn float4_to_char(value: f32, template: &str) -> Result<String> {
    float_to_char(f64::from(value), 6, template)
}

fn float_to_char(value: f64, significant: usize, template: &str) -> Result<String> {
    let mut picture = Picture::parse(template)?;
    if picture.roman {
        let rounded = value.round_ties_even();
        let number = (rounded.is_finite() && rounded.abs() < 1e9).then_some(rounded as i128);
        return Ok(picture.render(&roman(number), '+', 0));
    }
    if picture.scientific {
        if !value.is_finite() {
            return Ok(overflowing_exponent(&picture));
        }
        let formatted = format!("{value:.*e}", picture.fraction);
        return Ok(exponent_text(&formatted));
    }
    let mut shown = value;
    if picture.multiply {
        shown *= 10f64.powi(picture.shift as i32);
    }
    if !shown.is_finite() {
        let name = if shown.is_nan() {
            "NaN"
        } else if shown > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        return Ok(picture.finish(name));
    }
    let whole = format!("{:.0}", shown.abs()).len();
    picture.fraction = picture.fraction.min(significant.saturating_sub(whole));
    Ok(picture.finish(&format!("{shown:.*}", picture.fraction)))
}

/// Lays out `d.ddde-5` as C does, with a place for the sign.
fn exponent_text(formatted: &str) -> String {
    let (mantissa, exponent) = formatted.split_once('e').unwrap_or((formatted, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    let place = if mantissa.starts_with('-') { "" } else { " " };
    format!("{place}{mantissa}e{sign}{digits:0>2}")
}

fn overflowing_exponent(picture: &Picture) -> String {
    let mut text = vec!['#'; picture.whole + picture.fraction + 6];
    if let Some(first) = text.first_mut() {
        *first = ' ';
    }
    if let Some(point) = text.get_mut(picture.whole + 1) {
        *point = '.';
    }
    text.into_iter().collect()
}

fn scientific(value: &Numeric, picture: &Picture) -> Result<String> {
    let Some((mantissa, scale)) = value.parts() else { return Ok(overflowing_exponent(picture)) };
    let digits = mantissa.magnitude().to_string();
    let mut exponent = digits.len() as i64 - 1 - i64::from(scale);
    if value.is_zero() {
        exponent = 0;
    }
    // The significand: all digits with the point after the first, rounded.
    let significand = |exponent: i64| -> Result<Numeric> {
        let text = format!("{}e{}", value, -exponent);
        Numeric::parse(&text)?.round(picture.fraction as i32)
    };
    let mut rounded = significand(exponent)?;
    if rounded.abs().compare(&Numeric::from(10)).is_ge() {
        exponent += 1;
        rounded = significand(exponent)?;
    }
    Ok(exponent_text(&format!("{rounded}e{exponent}")))
}

/// A Roman numeral, or fifteen `#` outside 1 to 3999.
fn roman(number: Option<i128>) -> String {
    const VALUES: [(i128, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let Some(mut rest) = number.filter(|number| (1..4000).contains(number)) else { return "#".repeat(15) };
    let mut numeral = String::new();
    for (value, letters) in VALUES {
        while rest >= value {
            numeral.push_str(letters);
            rest -= value;
        }
    }
    numeral
}

/// The state of laying out one number (PostgreSQL's `NUM_processor`).
struct Layout<'a> {
    picture: &'a Picture,
    digits: &'a [u8],
    position: usize,
    sign: char,
    sign_written: bool,
    in_number: bool,
    bracket: bool,
    anchor: Anchor,
    leading_spaces: usize,
    current: usize,
    count: usize,
    last_relevant: Option<usize>,
    out: String,
}

impl Picture {
    /// Lays out a number's plain text.
    fn finish(&self, text: &str) -> String {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', text),
        };
        let whole = self.whole + if self.multiply { self.shift } else { 0 };
        let length = digits.find('.').unwrap_or(digits.len());
        if length > whole {
            let filled = format!("{}.{}", "#".repeat(whole), "#".repeat(self.fraction));
            return self.render(&filled, sign, 0);
        }
        self.render(digits, sign, whole - length)
    }

    fn render(&self, digits: &str, sign: char, leading_spaces: usize) -> String {
        let shifted = if self.multiply { self.shift } else { 0 };
        let mut layout = Layout {
            picture: self,
            digits: digits.as_bytes(),
            position: 0,
            sign,
            sign_written: false,
            in_number: false,
            bracket: self.bracket,
            anchor: self.anchor,
            leading_spaces,
            current: 0,
            count: (self.fraction + self.whole + shifted).saturating_sub(1),
            last_relevant: None,
            out: String::new(),
        };
        layout.prepare();
        for node in &self.nodes {
            layout.node(node);
        }
        layout.out
    }
}

impl Layout<'_> {
    fn prepare(&mut self) {
        let picture = self.picture;
        if picture.plus || picture.minus {
            self.sign_written = picture.minus;
        } else {
            if self.sign != '-' && picture.fill {
                self.bracket = false;
            }
            self.sign_written = self.sign == '+' && picture.fill && !picture.anchored;
            let shifted = if picture.multiply { picture.shift } else { 0 };
            if self.anchor == Anchor::Before && picture.whole + shifted == picture.anchor_digits {
                self.anchor = Anchor::After;
            }
        }
        if picture.fill && picture.decimal {
            self.last_relevant = last_relevant_digit(self.digits).map(|last| {
                if picture.zero_end > self.leading_spaces {
                    let zero = (self.digits.len() - 1).min(picture.zero_end - self.leading_spaces);
                    last.max(zero)
                } else {
                    last
                }
            });
        }
        if !self.sign_written && self.leading_spaces == 0 {
            self.count += 1;
        }
    }

    fn node(&mut self, node: &Node) {
        let pattern = match node {
            Node::Text(c) | Node::Separator(c) => return self.out.push(*c),
            Node::Space => return self.out.push(' '),
            Node::Pattern(pattern) => pattern,
        };
        let fill = self.picture.fill;
        match pattern.kind().as_str() {
            kind @ ("9" | "0" | "." | "D") => self.digit(kind == "0"),
            "," | "G" if self.in_number => self.out.push(','),
            "," | "G" if !fill => self.out.push(' '),
            "L" => self.out.push(' '),
            "RN" => {
                let numeral = String::from_utf8_lossy(self.digits);
                let numeral = if fill { numeral.into_owned() } else { format!("{numeral:>15}") };
                self.out.push_str(&if pattern.name == "rn" { numeral.to_ascii_lowercase() } else { numeral });
            }
            "TH" if !(self.picture.roman
                || self.digits.first() == Some(&b'#')
                || self.sign == '-'
                || self.picture.decimal) =>
            {
                self.out.push_str(ordinal(&String::from_utf8_lossy(self.digits), pattern.name == "TH"));
            }
            "MI" if self.sign == '-' => self.out.push('-'),
            "PL" if self.sign == '+' => self.out.push('+'),
            "MI" | "PL" if !fill => self.out.push(' '),
            "SG" => self.out.push(self.sign),
            _ => {}
        }
    }

    /// Whether a zero before the point is left out: `0.1` in `9.9` is ` .1`.
    fn hides_zero(&self) -> bool {
        !self.picture.zero && self.position == 0 && self.digits.first() == Some(&b'0') && self.picture.fraction != 0
    }

    fn relevant_is_point(&self) -> bool {
        self.last_relevant.is_some_and(|last| self.digits.get(last) == Some(&b'.'))
    }

    fn write_sign(&mut self) {
        let picture = self.picture;
        let due = self.current >= self.leading_spaces || (picture.zero && picture.zero_start == self.current);
        if self.sign_written || !due || (self.hides_zero() && !self.relevant_is_point()) {
            return;
        }
        if picture.anchored {
            if self.anchor == Anchor::Before {
                self.out.push(self.sign);
                self.sign_written = true;
            }
            return;
        }
        if self.bracket {
            self.out.push(if self.sign == '+' { ' ' } else { '<' });
        } else if self.sign == '-' {
            self.out.push('-');
        } else if !picture.fill {
            self.out.push(' ');
        }
        self.sign_written = true;
    }

    /// One place for a digit or the point.
    fn digit(&mut self, zero_pattern: bool) {
        let picture = self.picture;
        if picture.roman {
            return;
        }
        self.in_number = false;
        self.write_sign();
        if self.current < self.leading_spaces && (picture.zero_start > self.current || !picture.zero) {
            if !picture.fill {
                self.out.push(' ');
            }
        } else if picture.zero && self.current < self.leading_spaces {
            self.out.push('0');
            self.in_number = true;
        } else {
            match self.digits.get(self.position) {
                Some(b'.') if !self.relevant_is_point() || picture.fill => self.out.push('.'),
                Some(b'.') => {}
                _ if self.last_relevant.is_some_and(|last| self.position > last) && !zero_pattern => {}
                _ if self.hides_zero() => {
                    if !picture.fill {
                        self.out.push(' ');
                    } else if self.relevant_is_point() {
                        self.out.push('0');
                    }
                }
                Some(&digit) => {
                    self.out.push(char::from(digit));
                    self.in_number = true;
                }
                None => {}
            }
            if self.position < self.digits.len() {
                self.position += 1;
            }
        }
        self.close();
        self.current += 1;
    }

    /// After the last digit: the closing bracket or the sign.
    fn close(&mut self) {
        let mut end = self.count + usize::from(self.leading_spaces > 0) + usize::from(self.picture.decimal);
        if self.last_relevant == Some(self.position) {
            end = self.current;
        }
        if self.current + 1 != end {
            return;
        }
        if self.sign_written && self.bracket {
            self.out.push(if self.sign == '+' { ' ' } else { '>' });
        } else if self.picture.anchored && self.anchor == Anchor::After {
            self.out.push(self.sign);
        }
    }
}

/// Index of the last digit after the point that is not zero, or of the point.
fn last_relevant_digit(digits: &[u8]) -> Option<usize> {
    let point = digits.iter().position(|&byte| byte == b'.')?;
    let last = digits.iter().rposition(|&byte| byte != b'0').unwrap_or(point);
    Some(last.max(point))
}

/// `to_number(text, text)`: `None` (null) for an empty template.
pub fn to_number(text: &str, template: &str) -> Result<Option<Numeric>> {
    if template.is_empty() {
        return Ok(None);
    }
    let picture = Picture::parse(template)?;
    if picture.scientific {
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "\"EEEE\" not supported for input"));
    }
    if picture.roman {
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "\"RN\" not supported for input"));
    }
    let mut reader = NumberReader { rest: text.trim_start_matches(' '), number: String::new(), negative: false };
    reader.sign();
    for node in &picture.nodes {
        if reader.rest.is_empty() {
            break;
        }
        reader.node(node, picture.decimal);
    }
    reader.trailing_sign();
    let scale = picture.fraction as i32;
    let sign = if reader.negative { "-" } else { "" };
    let digits = if reader.number.ends_with('.') { reader.number.trim_end_matches('.') } else { &reader.number };
    let mut value = if digits.is_empty() {
        return Err(Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type numeric: \" \""));
    } else {
        Numeric::parse(&format!("{sign}{digits}"))?
    };
    if picture.multiply {
        let factor = Numeric::from(10).power(&Numeric::from(-(picture.shift as i64)))?;
        value = value.mul(&factor)?;
    }
    Ok(Some(if value.scale().is_some_and(|own| own as i32 > scale) && !picture.multiply {
        value.round(scale)?
    } else {
        value
    }))
}

struct NumberReader<'a> {
    rest: &'a str,
    number: String,
    negative: bool,
}

impl NumberReader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    fn sign(&mut self) {
        match self.rest.chars().next() {
            Some('-' | '<') => {
                self.negative = true;
                self.next();
            }
            Some('+') => {
                self.next();
            }
            _ => {}
        }
    }

    fn trailing_sign(&mut self) {
        if self.rest.trim_start().starts_with('-') {
            self.negative = true;
        }
    }

    fn node(&mut self, node: &Node, decimal: bool) {
        let Node::Pattern(pattern) = node else {
            self.next();
            return;
        };
        let first = self.rest.chars().next();
        match pattern.kind().as_str() {
            kind @ ("9" | "0" | "." | "D") => {
                if self.rest.starts_with(' ') {
                    self.next();
                }
                if matches!(kind, "9" | "0") && !self.number.contains(|c: char| c.is_ascii_digit()) {
                    self.sign();
                }
                let wanted = self
                    .rest
                    .chars()
                    .next()
                    .filter(|&c| c.is_ascii_digit() || (c == '.' && decimal && !self.number.contains('.')));
                if let Some(c) = wanted {
                    self.number.push(c);
                    self.next();
                }
            }
            "," | "G" if first == Some(',') => {
                self.next();
            }
            "L" if first.is_some_and(|c| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | ',')) => {
                self.next();
            }
            "MI" | "SG" | "S" | "PL" => self.sign(),
            "TH" => {
                self.next();
                self.next();
            }
            _ => {}
        }
    }
}
