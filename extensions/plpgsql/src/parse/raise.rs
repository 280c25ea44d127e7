//! RAISE and GET DIAGNOSTICS.

use aegis_engine::extension::{Error, Result, sqlstate};

use super::Parser;
use super::lexer::Token;
use crate::ast::*;
use crate::conditions;

const LEVELS: [(&str, Level); 6] = [
    ("debug", Level::Debug),
    ("log", Level::Log),
    ("info", Level::Info),
    ("notice", Level::Notice),
    ("warning", Level::Warning),
    ("exception", Level::Exception),
];

const OPTIONS: [(&str, RaiseOption); 9] = [
    ("errcode", RaiseOption::Errcode),
    ("message", RaiseOption::Message),
    ("detail", RaiseOption::Detail),
    ("hint", RaiseOption::Hint),
    ("column", RaiseOption::Column),
    ("constraint", RaiseOption::Constraint),
    ("datatype", RaiseOption::Datatype),
    ("table", RaiseOption::Table),
    ("schema", RaiseOption::Schema),
];

/// Items of GET DIAGNOSTICS, and whether they need STACKED.
const ITEMS: [(&str, Diagnostic, bool); 12] = [
    ("row_count", Diagnostic::RowCount, false),
    ("pg_context", Diagnostic::Context, false),
    ("pg_exception_context", Diagnostic::ErrorContext, true),
    ("pg_exception_detail", Diagnostic::ErrorDetail, true),
    ("pg_exception_hint", Diagnostic::ErrorHint, true),
    ("returned_sqlstate", Diagnostic::ReturnedSqlstate, true),
    ("column_name", Diagnostic::ColumnName, true),
    ("constraint_name", Diagnostic::ConstraintName, true),
    ("pg_datatype_name", Diagnostic::DatatypeName, true),
    ("message_text", Diagnostic::MessageText, true),
    ("table_name", Diagnostic::TableName, true),
    ("schema_name", Diagnostic::SchemaName, true),
];

impl Parser<'_> {
    pub(super) fn raise(&mut self) -> Result<Kind> {
        self.bump();
        let mut raise = Raise {
            level: Level::Exception,
            again: false,
            condition: None,
            message: None,
            parameters: Vec::new(),
            options: Vec::new(),
        };
        if self.eat_symbol(";") {
            raise.again = true;
            return Ok(Kind::Raise(Box::new(raise)));
        }
        if let Some((_, level)) = LEVELS.iter().find(|(word, _)| self.at_word(word)) {
            raise.level = *level;
            self.bump();
        }
        match self.peek().clone() {
            Token::Text(message) => {
                self.bump();
                self.parameters(&mut raise, message)?;
            }
            Token::Word { name, .. } if name != "using" => {
                let start = self.start();
                self.bump();
                if name == "sqlstate" {
                    let state = self.state()?;
                    raise.condition = Some(String::from_utf8_lossy(&state).into_owned());
                } else {
                    if conditions::named(&name).is_empty() {
                        let message = format!("unrecognized exception condition \"{name}\"");
                        return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message).at(start as u32));
                    }
                    raise.condition = Some(name);
                }
                if !self.at_symbol(";") && !self.at_word("using") {
                    return Err(self.syntax_error());
                }
            }
            Token::Word { .. } => {}
            _ => return Err(self.syntax_error()),
        }
        if self.eat("using") {
            self.raise_options(&mut raise)?;
        }
        self.end_statement()?;
        Ok(Kind::Raise(Box::new(raise)))
    }

    fn parameters(&mut self, raise: &mut Raise, message: String) -> Result<()> {
        let end_at = self.start();
        while self.at_symbol(",") {
            self.bump();
            let (parameter, _) = self.expression_to(&[",", ";", "using"])?;
            raise.parameters.push(parameter);
        }
        let expected = message.replace("%%", "").matches('%').count();
        if expected != raise.parameters.len() {
            let few = expected > raise.parameters.len();
            let what = if few { "few" } else { "many" };
            let error = Error::new(sqlstate::SYNTAX_ERROR, format!("too {what} parameters specified for RAISE"));
            let _ = end_at;
            return Err(error);
        }
        raise.message = Some(message);
        Ok(())
    }

    fn raise_options(&mut self, raise: &mut Raise) -> Result<()> {
        loop {
            let word = self.any_name()?;
            let Some((_, option)) = OPTIONS.iter().find(|(name, _)| *name == word) else {
                return Err(self.error_near(self.at - 1, "unrecognized RAISE statement option"));
            };
            if !self.eat_symbol("=") {
                self.expect_symbol(":=")?;
            }
            let (value, end) = self.expression_to(&[",", ";"])?;
            raise.options.push((*option, value));
            if end == 1 {
                return Ok(());
            }
            self.bump();
        }
    }

    pub(super) fn get_diagnostics(&mut self) -> Result<Kind> {
        self.bump();
        let stacked = self.eat("stacked");
        if !stacked {
            self.eat("current");
        }
        self.expect("diagnostics")?;
        let mut items = Vec::new();
        loop {
            let place = self.place()?;
            if !self.eat_symbol(":=") {
                self.expect_symbol("=")?;
            }
            let start = self.start();
            let word = self.any_name()?;
            let Some((_, item, needs_stacked)) = ITEMS.iter().find(|(name, _, _)| *name == word) else {
                return Err(self.error_near(self.at - 1, "unrecognized GET DIAGNOSTICS item"));
            };
            if *needs_stacked != stacked {
                let which = if stacked { "STACKED" } else { "CURRENT" };
                let message =
                    format!("diagnostics item {} is not allowed in GET {which} DIAGNOSTICS", word.to_uppercase());
                return Err(self.error_at(start, message));
            }
            items.push((place, *item));
            if !self.eat_symbol(",") {
                break;
            }
        }
        self.end_statement()?;
        Ok(Kind::GetDiagnostics { stacked, items })
    }
}
