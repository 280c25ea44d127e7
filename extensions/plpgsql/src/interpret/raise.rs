//! RAISE.

use aegis_engine::extension::{Error, Result, SqlState, add_context, sqlstate};

use super::Run;
use crate::ast::*;
use crate::conditions;

impl Run<'_> {
    pub(super) async fn raise(&mut self, raise: &Raise, line: u32) -> Result<()> {
        if raise.again {
            let Some(error) = self.caught.last().cloned() else {
                let message = "RAISE without parameters cannot be used outside an exception handler";
                return Err(Error::new(sqlstate::STACKED_DIAGNOSTICS_ACCESSED_WITHOUT_ACTIVE_HANDLER, message));
            };
            // It has its context.
            self.located = true;
            return Err(error);
        }
        let mut code = raise.condition.as_deref().map(state_of);
        let mut message = match &raise.message {
            Some(format) => Some(self.format(format, &raise.parameters).await?),
            None => None,
        };
        let mut error = Error::new(sqlstate::RAISE_EXCEPTION, "");
        let mut given: Vec<RaiseOption> = Vec::new();
        for (option, expr) in &raise.options {
            let Some(value) = self.text(expr).await? else {
                return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "RAISE statement option cannot be null"));
            };
            let again = match option {
                RaiseOption::Errcode => code.is_some(),
                RaiseOption::Message => message.is_some(),
                option => given.contains(option),
            };
            if again {
                let message = format!("RAISE option already specified: {}", option.name());
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
            }
            given.push(*option);
            let fields = error.fields_mut();
            match option {
                RaiseOption::Errcode => code = Some(condition(&value)?),
                RaiseOption::Message => message = Some(value),
                RaiseOption::Detail => fields.detail = Some(value),
                RaiseOption::Hint => fields.hint = Some(value),
                RaiseOption::Column => fields.column = Some(value),
                RaiseOption::Constraint => fields.constraint = Some(value),
                RaiseOption::Datatype => fields.datatype = Some(value),
                RaiseOption::Table => fields.table = Some(value),
                RaiseOption::Schema => fields.schema = Some(value),
            }
        }
        let exception = raise.level == Level::Exception;
        let code = code.unwrap_or(match raise.level {
            Level::Exception => sqlstate::RAISE_EXCEPTION,
            Level::Warning => sqlstate::WARNING,
            _ => sqlstate::SUCCESSFUL_COMPLETION,
        });
        let shown = || raise.condition.clone().unwrap_or_else(|| code.to_string());
        let fields = error.fields_mut();
        fields.code = code;
        fields.message = message.unwrap_or_else(shown);
        if exception {
            return Err(error);
        }
        add_context(&mut error, &format!("PL/pgSQL function {} line {line} at RAISE", self.function.name));
        self.caller.message(raise.level.name(), error);
        Ok(())
    }

    /// `%` stands for the next parameter, `%%` for itself.
    async fn format(&mut self, format: &str, parameters: &[Expr]) -> Result<String> {
        let mut message = String::new();
        let mut parameters = parameters.iter();
        let mut characters = format.chars().peekable();
        while let Some(character) = characters.next() {
            if character != '%' {
                message.push(character);
            } else if characters.next_if_eq(&'%').is_some() {
                message.push('%');
            } else if let Some(parameter) = parameters.next() {
                message.push_str(&self.text(parameter).await?.unwrap_or_else(|| "<NULL>".to_owned()));
            }
        }
        Ok(message)
    }
}

/// A code, or the first one of a condition's name.
fn state_of(name: &str) -> SqlState {
    match conditions::named(name).first() {
        Some(code) => SqlState(*code),
        None => <[u8; 5]>::try_from(name.as_bytes()).map_or(sqlstate::RAISE_EXCEPTION, SqlState),
    }
}

fn condition(text: &str) -> Result<SqlState> {
    let is_code = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if is_code || !conditions::named(text).is_empty() {
        return Ok(state_of(text));
    }
    let message = format!("unrecognized exception condition \"{text}\"");
    Err(Error::new(sqlstate::UNDEFINED_OBJECT, message))
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Log => "LOG",
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Warning => "WARNING",
            Self::Exception => "ERROR",
        }
    }
}

impl RaiseOption {
    fn name(self) -> &'static str {
        match self {
            Self::Errcode => "ERRCODE",
            Self::Message => "MESSAGE",
            Self::Detail => "DETAIL",
            Self::Hint => "HINT",
            Self::Column => "COLUMN",
            Self::Constraint => "CONSTRAINT",
            Self::Datatype => "DATATYPE",
            Self::Table => "TABLE",
            Self::Schema => "SCHEMA",
        }
    }
}
