//! The parser library's output as a flat, read-only tree.

use squawk_parser::{EntryPoint, LexedStr, StrStep, SyntaxKind};

/// One node or token. White space and comments are left out.
struct Element {
    kind: SyntaxKind,
    token: bool,
    start: u32,
    end: u32,
    /// Index just past the last descendant: the next sibling, if there is one.
    after: u32,
}

pub(super) struct Tree<'a> {
    text: &'a str,
    elements: Vec<Element>,
}

/// Where the library could not go on.
#[derive(Clone, Copy)]
pub(super) struct Failure {
    pub offset: u32,
    /// It stopped at a comma that nothing follows.
    pub comma: bool,
}

impl<'a> Tree<'a> {
    /// Parses `text`, of which the library sees `masked`; the root's children are the statements. The tree is there even if the library could
    /// not go on.
    pub fn parse(text: &'a str, masked: Option<&str>) -> (Self, Option<Failure>) {
        // Its lexical errors are left aside: `scan` and the decoding of literals have PostgreSQL's.
        let lexed = LexedStr::new(masked.unwrap_or(text));
        let output = EntryPoint::SourceFile.parse(&lexed.to_input());
        let mut builder = Builder {
            elements: Vec::new(),
            open: Vec::new(),
            position: 0,
            last_end: 0,
            failure: None,
            bare_between: None,
        };
        lexed.intersperse_trivia(&output, &mut |step| builder.step(step));
        (Self { text, elements: builder.elements }, builder.failure)
    }

    pub fn root(&self) -> Option<Node<'_>> {
        (!self.elements.is_empty()).then_some(Node { tree: self, index: 0 })
    }
}

struct Builder {
    elements: Vec<Element>,
    open: Vec<usize>,
    position: u32,
    last_end: u32,
    failure: Option<Failure>,
    /// Start of a BETWEEN that lacks its first operand and is not joined with it yet.
    bare_between: Option<u32>,
}

impl Builder {
    fn step(&mut self, step: StrStep<'_>) {
        match step {
            StrStep::Enter { kind } => {
                self.open.push(self.elements.len());
                self.elements.push(Element { kind, token: false, start: u32::MAX, end: 0, after: 0 });
            }
            StrStep::Exit => {
                let after = self.elements.len() as u32;
                let Some(index) = self.open.pop() else { return };
                let first = self.elements.get(index + 1).map(|first| first.start);
                let last_end = self.last_end;
                let Some(element) = self.elements.get_mut(index) else { return };
                // A node without tokens sits just behind the token before it.
                element.start = first.unwrap_or(last_end);
                element.end = last_end.max(element.start);
                element.after = after;
                let start = element.start;
                if element.kind == SyntaxKind::BETWEEN_EXPR
                    && self.elements.get(index + 1).is_some_and(|first| first.token)
                {
                    self.bare_between = Some(start);
                }
                if self.bare_between == Some(start) {
                    self.join_between(index);
                }
            }
            StrStep::Token { kind, text } => {
                let start = self.position;
                self.position += text.len() as u32;
                if kind == SyntaxKind::WHITESPACE || kind == SyntaxKind::COMMENT {
                    return;
                }
                self.last_end = self.position;
                let after = self.elements.len() as u32 + 1;
                self.elements.push(Element { kind, token: true, start, end: self.position, after });
            }
            StrStep::Error { pos, msg } => {
                let failure =
                    Failure { offset: pos as u32, comma: msg.starts_with("unexpected") && msg.contains("comma") };
                if self.failure.is_none_or(|earlier| failure.offset < earlier.offset) {
                    self.failure = Some(failure);
                }
            }
        }
    }
}

impl Builder {
    /// After a cast the library leaves BETWEEN without its first operand: `a::int BETWEEN 1 AND 2` becomes two nodes side by side.
    /// Puts them under one.
    fn join_between(&mut self, index: usize) {
        let Some(&parent) = self.open.last() else { return };
        let mut previous = None;
        let mut sibling = parent + 1;
        while sibling < index {
            previous = Some(sibling);
            sibling = self.elements.get(sibling).map_or(index, |element| element.after as usize);
        }
        let Some(first) = previous else { return };
        let Some(start) = self.elements.get(first).filter(|element| !element.token).map(|element| element.start) else {
            return;
        };
        self.bare_between = None;
        for element in self.elements.iter_mut().skip(first) {
            element.after += 1;
        }
        let after = self.elements.len() as u32 + 1;
        let joined = Element { kind: SyntaxKind::BIN_EXPR, token: false, start, end: self.last_end, after };
        self.elements.insert(first, joined);
    }
}

/// A node or token of a [`Tree`].
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    tree: &'t Tree<'t>,
    index: u32,
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.kind(), self.text())
    }
}

impl<'t> Node<'t> {
    fn element(self) -> &'t Element {
        // An index is only ever made from the tree's own links.
        &self.tree.elements[self.index as usize]
    }

    pub fn kind(self) -> SyntaxKind {
        self.element().kind
    }

    pub fn is(self, kind: SyntaxKind) -> bool {
        self.kind() == kind
    }

    pub fn is_token(self) -> bool {
        self.element().token
    }

    pub fn start(self) -> u32 {
        self.element().start
    }

    pub fn end(self) -> u32 {
        self.element().end
    }

    pub fn is_empty(self) -> bool {
        self.start() == self.end()
    }

    pub fn text(self) -> &'t str {
        self.tree.text.get(self.start() as usize..self.end() as usize).unwrap_or_default()
    }

    /// Child nodes and tokens in order.
    pub fn children(self) -> Children<'t> {
        let element = self.element();
        let next = if element.token { element.after } else { self.index + 1 };
        Children { tree: self.tree, next, after: element.after }
    }

    /// Child nodes in order.
    pub fn nodes(self) -> impl Iterator<Item = Node<'t>> {
        self.children().filter(|child| !child.is_token())
    }

    pub fn tokens(self) -> impl Iterator<Item = Node<'t>> {
        self.children().filter(|child| child.is_token())
    }

    /// First child of this kind.
    pub fn child(self, kind: SyntaxKind) -> Option<Node<'t>> {
        self.children().find(|child| child.kind() == kind)
    }

    pub fn has(self, kind: SyntaxKind) -> bool {
        self.child(kind).is_some()
    }

    /// First child of one of these kinds.
    pub fn child_in(self, kinds: &[SyntaxKind]) -> Option<Node<'t>> {
        self.children().find(|child| kinds.contains(&child.kind()))
    }

    pub fn children_of(self, kind: SyntaxKind) -> impl Iterator<Item = Node<'t>> {
        self.children().filter(move |child| child.kind() == kind)
    }

    /// All descendants, this node first.
    pub fn descendants(self) -> impl Iterator<Item = Node<'t>> {
        (self.index..self.element().after).map(move |index| Node { tree: self.tree, index })
    }

    pub fn first_token(self) -> Option<Node<'t>> {
        self.descendants().find(|node| node.is_token())
    }
}

pub(super) struct Children<'t> {
    tree: &'t Tree<'t>,
    next: u32,
    after: u32,
}

impl<'t> Iterator for Children<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        if self.next >= self.after {
            return None;
        }
        let node = Node { tree: self.tree, index: self.next };
        self.next = node.element().after;
        Some(node)
    }
}
