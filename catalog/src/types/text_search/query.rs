//! `tsquery`: words under `!`, `&`, `|` and `<->`.
//!
//! Bytes: number of nodes, PostgreSQL's size (u32, big endian); the nodes, each before its right and then its left operand, with a tag that
//! sorts as PostgreSQL sorts kinds, words after their checksum; distances of the `<->`; and at the end, outside of what is compared
//! ([`comparison_key`]), prefix marks and weights of the words.

use super::MAX_WORD;
use super::word::write_word;
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::binary::Reader;

/// A query: its nodes in postfix order, so that operands come before their operator and the root is the last one. No nodes is the query that
/// matches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TsQuery {
    nodes: Vec<Node>,
}

/// Operands are numbers of earlier nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Value(Operand),
    Not(usize),
    And(usize, usize),
    Or(usize, usize),
    /// The right one follows the left one at this distance.
    Phrase(usize, usize, u16),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operand {
    pub word: String,
    /// One bit for each weight that may match, by [`super::Weight::number`]; 0 for all.
    pub weights: u8,
    pub prefix: bool,
}

/// Bytes of PostgreSQL's header and of one node.
const HEADER_BYTES: usize = 8;
const NODE_BYTES: usize = 12;
/// PostgreSQL's limit of one value.
const MAX_BYTES: usize = 0x3fff_ffff;

impl TsQuery {
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Appends a node over the ones that are there; its number.
    pub fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    pub fn operands(&self) -> impl Iterator<Item = &Operand> {
        self.nodes.iter().filter_map(|node| if let Node::Value(operand) = node { Some(operand) } else { None })
    }

    /// A query of both under an operator; the one that is there if the other is empty.
    pub fn combine(self, other: Self, operator: impl FnOnce(usize, usize) -> Node) -> Self {
        match (self.root(), other.root()) {
            (Some(left), Some(right)) => {
                let offset = self.nodes.len();
                let mut nodes = self.nodes;
                nodes.extend(other.nodes.into_iter().map(|node| node.moved(offset)));
                nodes.push(operator(left, right + offset));
                Self { nodes }
            }
            (None, Some(_)) => other,
            _ => self,
        }
    }

    pub fn negated(mut self) -> Self {
        if let Some(root) = self.root() {
            self.nodes.push(Node::Not(root));
        }
        self
    }

    pub fn root(&self) -> Option<usize> {
        self.nodes.len().checked_sub(1)
    }

    /// Operands before operators, each node once: true for all that this module makes.
    fn bytes_in_postgresql(&self) -> usize {
        let words: usize = self.operands().map(|operand| operand.word.len() + 1).sum();
        HEADER_BYTES + NODE_BYTES * self.nodes.len() + words
    }

    /// 54000 if PostgreSQL could not hold it.
    pub fn check_size(&self) -> Result<()> {
        if self.bytes_in_postgresql() > MAX_BYTES {
            return Err(super::too_large("tsquery is too large".to_owned()));
        }
        Ok(())
    }

    // ------------------------------------------------------------------------------------------ representation

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes_in_postgresql());
        bytes.extend_from_slice(&(self.nodes.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&(self.bytes_in_postgresql() as u32).to_be_bytes());
        let (mut distances, mut marks) = (Vec::new(), Vec::new());
        for node in self.nodes.iter().rev() {
            bytes.push(node.tag());
            match node {
                Node::Phrase(_, _, distance) => distances.extend_from_slice(&(!distance).to_be_bytes()),
                Node::Value(operand) => {
                    // Greater ones, as signed numbers, come first.
                    bytes.extend_from_slice(&(!(checksum(operand.word.as_bytes()) ^ 0x8000_0000)).to_be_bytes());
                    bytes.extend_from_slice(operand.word.as_bytes());
                    bytes.push(0);
                    marks.push(operand.weights << 1 | u8::from(operand.prefix));
                }
                _ => {}
            }
        }
        bytes.extend_from_slice(&distances);
        bytes.extend_from_slice(&marks);
        bytes
    }

    /// What [`Self::to_bytes`] made; the empty query of anything else.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::decode(bytes).unwrap_or_default()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let count = reader.u32()?;
        reader.u32()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(match reader.u8()? {
                PHRASE => Item::Phrase(0),
                OR => Item::Or,
                AND => Item::And,
                NOT => Item::Not,
                _ => {
                    reader.u32()?;
                    Item::Value(Operand { word: reader.zero_terminated()?.to_owned(), weights: 0, prefix: false })
                }
            });
        }
        for item in &mut items {
            if let Item::Phrase(distance) = item {
                *distance = !reader.u16()?;
            }
        }
        for item in &mut items {
            if let Item::Value(operand) = item {
                let marks = reader.u8()?;
                (operand.weights, operand.prefix) = (marks >> 1, marks & 1 != 0);
            }
        }
        Self::from_items(items)
    }

    /// From nodes that come before their right and then their left operand.
    fn from_items(items: Vec<Item>) -> Result<Self> {
        let malformed = || Error::internal("malformed tsquery: operand not found");
        let mut query = Self::default();
        let mut open = Vec::new();
        for item in items.into_iter().rev() {
            let mut operand = || open.pop().ok_or_else(malformed);
            let node = match item {
                Item::Value(operand) => Node::Value(operand),
                Item::Not => Node::Not(operand()?),
                Item::And | Item::Or | Item::Phrase(_) => {
                    let (right, left) = (operand()?, operand()?);
                    match item {
                        Item::And => Node::And(left, right),
                        Item::Or => Node::Or(left, right),
                        Item::Phrase(distance) => Node::Phrase(left, right, distance),
                        _ => return Err(malformed()),
                    }
                }
            };
            open.push(query.push(node));
        }
        if open.len() > 1 {
            return Err(Error::internal("malformed tsquery: extra nodes"));
        }
        Ok(query)
    }

    // ------------------------------------------------------------------------------------------ binary format

    pub fn from_binary(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let count = reader.u32()?;
        if count as usize > MAX_BYTES / NODE_BYTES {
            return Err(Error::internal("invalid size of tsquery"));
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(match reader.u8()? {
                1 => {
                    let (weights, prefix) = (reader.u8()?, reader.u8()? != 0);
                    let word = reader.zero_terminated()?.to_owned();
                    if weights > 0xf {
                        return Err(Error::internal("invalid tsquery: invalid weight bitmap"));
                    }
                    if word.len() > MAX_WORD {
                        return Err(Error::internal("invalid tsquery: operand too long"));
                    }
                    Item::Value(Operand { word, weights, prefix })
                }
                2 => match reader.u8()? {
                    1 => Item::Not,
                    2 => Item::And,
                    3 => Item::Or,
                    4 => Item::Phrase(reader.u16()?),
                    other => {
                        return Err(Error::internal(format!("invalid tsquery: unrecognized operator type {other}")));
                    }
                },
                other => return Err(Error::internal(format!("unrecognized tsquery node type: {other}"))),
            });
        }
        reader.finish()?;
        Self::from_items(items)
    }

    pub fn write_binary(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.nodes.len() as u32).to_be_bytes());
        for node in self.nodes.iter().rev() {
            match node {
                Node::Value(operand) => {
                    out.extend_from_slice(&[1, operand.weights, u8::from(operand.prefix)]);
                    out.extend_from_slice(operand.word.as_bytes());
                    out.push(0);
                }
                Node::Not(_) => out.extend_from_slice(&[2, 1]),
                Node::And(..) => out.extend_from_slice(&[2, 2]),
                Node::Or(..) => out.extend_from_slice(&[2, 3]),
                Node::Phrase(_, _, distance) => {
                    out.extend_from_slice(&[2, 4]);
                    out.extend_from_slice(&distance.to_be_bytes());
                }
            }
        }
    }

    // ------------------------------------------------------------------------------------------ text output

    pub fn write(&self, out: &mut Vec<u8>) {
        /// What is still to be written.
        enum Rest {
            /// A node below an operator that binds so strongly; true for the right operand of a phrase.
            Node(usize, u8, bool),
            Text(&'static [u8]),
            Distance(u16),
        }
        let mut rest: Vec<Rest> = self.root().map(|root| Rest::Node(root, 0, false)).into_iter().collect();
        while let Some(next) = rest.pop() {
            let (node, above, after_phrase) = match next {
                Rest::Text(text) => {
                    out.extend_from_slice(text);
                    continue;
                }
                Rest::Distance(distance) => {
                    out.extend_from_slice(format!(" <{distance}> ").as_bytes());
                    continue;
                }
                Rest::Node(node, above, after_phrase) => (&self.nodes[node], above, after_phrase),
            };
            let binding = node.binding();
            let parentheses = binding < above || (after_phrase && matches!(node, Node::Phrase(..)));
            if parentheses {
                out.extend_from_slice(b"( ");
                rest.push(Rest::Text(b" )"));
            }
            let (left, right, text) = match node {
                Node::Value(operand) => {
                    operand.write(out);
                    continue;
                }
                Node::Not(operand) => {
                    out.push(b'!');
                    rest.push(Rest::Node(*operand, binding, false));
                    continue;
                }
                Node::And(left, right) => (left, right, Rest::Text(b" & ")),
                Node::Or(left, right) => (left, right, Rest::Text(b" | ")),
                Node::Phrase(left, right, 1) => (left, right, Rest::Text(b" <-> ")),
                Node::Phrase(left, right, distance) => (left, right, Rest::Distance(*distance)),
            };
            rest.push(Rest::Node(*right, binding, matches!(node, Node::Phrase(..))));
            rest.push(text);
            rest.push(Rest::Node(*left, binding, false));
        }
    }
}

/// A node in prefix order, before its operands are known.
enum Item {
    Value(Operand),
    Not,
    And,
    Or,
    Phrase(u16),
}

/// Tags in the order in which PostgreSQL sorts.
const PHRASE: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const VALUE: u8 = 4;

impl Node {
    fn tag(&self) -> u8 {
        match self {
            Self::Phrase(..) => PHRASE,
            Self::Or(..) => OR,
            Self::And(..) => AND,
            Self::Not(_) => NOT,
            Self::Value(_) => VALUE,
        }
    }

    /// How strongly it holds its operands.
    fn binding(&self) -> u8 {
        match self {
            Self::Or(..) => 1,
            Self::And(..) => 2,
            Self::Phrase(..) => 3,
            Self::Not(_) => 4,
            Self::Value(_) => 5,
        }
    }

    /// The same over operands that come `offset` nodes later.
    pub(super) fn moved(self, offset: usize) -> Self {
        match self {
            Self::Value(operand) => Self::Value(operand),
            Self::Not(operand) => Self::Not(operand + offset),
            Self::And(left, right) => Self::And(left + offset, right + offset),
            Self::Or(left, right) => Self::Or(left + offset, right + offset),
            Self::Phrase(left, right, distance) => Self::Phrase(left + offset, right + offset, distance),
        }
    }
}

impl Operand {
    pub fn write(&self, out: &mut Vec<u8>) {
        write_word(self.word.as_bytes(), out);
        if self.prefix || self.weights != 0 {
            out.push(b':');
        }
        if self.prefix {
            out.push(b'*');
        }
        for weight in (0..4).rev().filter(|weight| self.weights >> weight & 1 != 0) {
            out.push(super::Weight::from_number(weight).letter() as u8);
        }
    }
}

/// The part of the bytes that counts in comparisons: queries that differ in weights and prefix marks alone are equal.
pub fn comparison_key(bytes: &[u8]) -> &[u8] {
    let marks = TsQuery::from_bytes(bytes).operands().count();
    bytes.get(..bytes.len().saturating_sub(marks)).unwrap_or(bytes)
}

/// The checksum by which PostgreSQL sorts words: CRC-32 with the reflected polynomial's table, but shifted the other way.
pub fn checksum(bytes: &[u8]) -> u32 {
    static TABLE: [u32; 256] = table();
    let step = |crc: u32, byte: &u8| TABLE[usize::from((crc >> 24) as u8 ^ byte)] ^ (crc << 8);
    !bytes.iter().fold(u32::MAX, step)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut number = 0;
    while number < 256 {
        let mut value = number as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 != 0 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[number] = value;
        number += 1;
    }
    table
}

/// 42601.
pub(super) fn syntax_error(input: &str) -> Error {
    Error::new(sqlstate::SYNTAX_ERROR, format!("syntax error in tsquery: \"{input}\""))
}
