//! Syntax of functions and procedures.

use super::ast::*;
use super::definition::DefinitionItem;
use super::utility::SetValue;

/// CREATE FUNCTION and CREATE PROCEDURE.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateRoutine {
    pub name: Name,
    pub procedure: bool,
    pub or_replace: bool,
    pub parameters: Vec<Parameter>,
    /// RETURNS; None also for RETURNS TABLE, whose columns are parameters.
    pub returns: Option<TypeName>,
    pub options: Vec<(RoutineOption, Span)>,
    /// The statements of RETURN or BEGIN ATOMIC.
    pub body: Option<SqlBody>,
}

/// CREATE AGGREGATE.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateAggregate {
    pub name: Name,
    pub or_replace: bool,
    /// None in the old syntax, where the input type is an item of the definition.
    pub parameters: Option<Vec<Parameter>>,
    /// It has an ORDER BY among its parameters.
    pub ordered: bool,
    pub definition: Vec<DefinitionItem>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SqlBody {
    /// The expression's text.
    Return(String),
    Atomic(Vec<String>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub mode: ParameterMode,
    pub name: Option<Ident>,
    pub ty: TypeName,
    pub default: Option<Expr>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterMode {
    /// Nothing is written.
    Default,
    In,
    Out,
    InOut,
    Variadic,
    /// A column of RETURNS TABLE.
    Table,
}

impl ParameterMode {
    pub fn is_input(self) -> bool {
        matches!(self, Self::Default | Self::In | Self::InOut | Self::Variadic)
    }

    /// `pg_proc.proargmodes`.
    pub fn code(self) -> char {
        match self {
            Self::Default | Self::In => 'i',
            Self::Out => 'o',
            Self::InOut => 'b',
            Self::Variadic => 'v',
            Self::Table => 't',
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum RoutineOption {
    Language(String),
    /// Body, and the symbol in an object file.
    As(String, Option<String>),
    Window,
    /// i, s or v.
    Volatility(char),
    Leakproof(bool),
    Strict(bool),
    SecurityDefiner(bool),
    Parallel(String),
    Cost(String),
    Rows(String),
    Support(Name),
    Transform,
    Set(String, SetValue),
    /// None is RESET ALL.
    Reset(Option<String>),
}

/// A routine as DROP, ALTER, COMMENT and GRANT name it.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutineName {
    pub kind: RoutineKind,
    pub name: Name,
    /// None if no list is written.
    pub args: Option<Vec<(ParameterMode, TypeName)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutineKind {
    Function,
    Procedure,
    Routine,
    Aggregate,
}

impl RoutineName {
    /// The routine that an object's name means; None for objects of other kinds.
    pub fn of_object(object: &super::utility::ObjectName) -> Option<Self> {
        use super::utility::ObjectKind;
        let kind = match object.kind {
            ObjectKind::Function => RoutineKind::Function,
            ObjectKind::Procedure => RoutineKind::Procedure,
            ObjectKind::Other("ROUTINE") => RoutineKind::Routine,
            ObjectKind::Other("AGGREGATE") => RoutineKind::Aggregate,
            _ => return None,
        };
        let args =
            object.args.as_ref().map(|args| args.iter().map(|ty| (ParameterMode::Default, ty.clone())).collect());
        Some(Self { kind, name: object.name.clone(), args })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct DropRoutine {
    pub routines: Vec<RoutineName>,
    pub if_exists: bool,
    pub cascade: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterRoutine {
    pub routine: RoutineName,
    pub action: AlterRoutineAction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AlterRoutineAction {
    Rename(Ident),
    Owner(Ident),
    Schema(Ident),
    Options(Vec<(RoutineOption, Span)>),
}

/// DO.
#[derive(Debug, Clone, PartialEq)]
pub struct Do {
    pub language: Option<String>,
    pub text: String,
    /// Where the text's literal is.
    pub span: Span,
}
