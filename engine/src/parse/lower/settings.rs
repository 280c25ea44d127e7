//! SET, SHOW, RESET, DISCARD (manual: "Server Configuration").

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use crate::parse::ast::*;
use crate::parse::tree::Node;
use crate::parse::utility::{DiscardTarget, SetScope, SetValue, Utility};

impl Lower<'_> {
    pub fn settings_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        Ok(Some(match node.kind() {
            K::SET => self.set(node)?,
            K::SET_ROLE => self.set_identity(node, "role")?,
            K::SET_SESSION_AUTH => self.set_identity(node, "session_authorization")?,
            K::RESET_ROLE => Utility::Reset(Some("role".into())),
            K::RESET_SESSION_AUTH => Utility::Reset(Some("session_authorization".into())),
            K::RESET => {
                let target = self.need(node.nodes().next(), node)?;
                match target.kind() {
                    K::ALL => Utility::Reset(None),
                    _ => Utility::Reset(Some(self.setting_name(target)?)),
                }
            }
            K::SHOW => {
                let target = self.need(node.nodes().next(), node)?;
                match target.kind() {
                    K::ALL => Utility::ShowAll,
                    _ => Utility::Show(self.setting_name(target)?),
                }
            }
            K::DISCARD => {
                let target = self.need(node.nodes().next(), node)?;
                Utility::Discard(match target.kind() {
                    K::DISCARD_ALL => DiscardTarget::All,
                    K::DISCARD_PLANS => DiscardTarget::Plans,
                    K::DISCARD_SEQUENCES => DiscardTarget::Sequences,
                    _ => DiscardTarget::Temp,
                })
            }
            _ => return Ok(None),
        }))
    }

    fn scope(&self, node: Node<'_>) -> SetScope {
        if node.has(K::LOCAL_SCOPE) { SetScope::Local } else { SetScope::Session }
    }

    /// The setting that a node names, by itself or by the words of its syntax.
    pub fn setting_name(&self, node: Node<'_>) -> Result<String> {
        Ok(match node.kind() {
            K::TIME_ZONE | K::RESET_TIME_ZONE => "timezone".into(),
            K::TRANSACTION_ISOLATION_LEVEL | K::RESET_TRANSACTION_ISOLATION => "transaction_isolation".into(),
            K::SESSION_AUTHORIZATION => "session_authorization".into(),
            _ => {
                let name = self.path(node)?;
                name.parts.into_iter().map(|part| part.name).collect::<Vec<_>>().join(".")
            }
        })
    }

    fn set(&self, node: Node<'_>) -> Result<Utility> {
        let scope = self.scope(node);
        let target = node.nodes().find(|part| !matches!(part.kind(), K::LOCAL_SCOPE | K::SESSION_SCOPE));
        let target = self.need(target, node)?;
        let (name, value) = match target.kind() {
            K::SET_CONFIG => self.config_assignment(target)?,
            K::SET_TIME_ZONE => ("timezone".to_owned(), self.time_zone(target)?),
            K::SET_SCHEMA_VALUE => ("search_path".to_owned(), self.value_list(target)?),
            K::SET_XML_OPTION => {
                let option = self.need(target.nodes().next(), target)?;
                ("xmloption".to_owned(), SetValue::Values(vec![option.text().to_ascii_lowercase()]))
            }
            K::SET_CATALOG => {
                let message = "current database cannot be changed";
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(self.position(target)));
            }
            _ => return Err(self.syntax_error(target.start())),
        };
        Ok(Utility::Set { scope, name, value })
    }

    /// `name TO value`, of SET and of ALTER ROLE … SET.
    pub fn config_assignment(&self, node: Node<'_>) -> Result<(String, SetValue)> {
        let name = self.setting_name(self.need(node.child(K::CONFIG_PARAMETER_REF), node)?)?;
        let value = match node.child_in(&[K::TO_CONFIG_VALUE, K::FROM_CURRENT]) {
            Some(value) if value.is(K::TO_CONFIG_VALUE) => self.value_list(value)?,
            Some(current) => return Err(Error::unsupported("SET FROM CURRENT").at(self.position(current))),
            None => return Err(self.missing_in(node)),
        };
        Ok((name, value))
    }

    fn value_list(&self, node: Node<'_>) -> Result<SetValue> {
        if node.has(K::DEFAULT_KW) {
            return Ok(SetValue::Default);
        }
        let values = node.nodes().map(|value| self.setting_value(value)).collect::<Result<Vec<_>>>()?;
        if values.is_empty() { Err(self.missing_in(node)) } else { Ok(SetValue::Values(values)) }
    }

    /// One value as text: a constant's value, a name folded, a number as written.
    pub fn setting_value(&self, node: Node<'_>) -> Result<String> {
        match node.kind() {
            K::LITERAL if node.has(K::ON_KW) || node.has(K::OFF_KW) => Ok(node.text().to_ascii_lowercase()),
            K::LITERAL => match self.literal(node)? {
                ExprKind::Literal(Literal::String(value)) => Ok(value),
                ExprKind::Literal(Literal::Integer(_) | Literal::Decimal(_)) => Ok(node.text().to_owned()),
                ExprKind::Literal(Literal::Bool(_)) => Ok(node.text().to_ascii_lowercase()),
                _ => Err(self.syntax_error(node.start())),
            },
            K::PREFIX_EXPR => {
                let literal = self.need(node.child(K::LITERAL), node)?;
                let sign = if node.has(K::MINUS) { "-" } else { "" };
                if !node.has(K::MINUS) && !node.has(K::PLUS)
                    || !literal.has(K::INT_NUMBER) && !literal.has(K::NUMERIC_NUMBER)
                {
                    return Err(self.syntax_error(node.start()));
                }
                Ok(format!("{sign}{}", literal.text()))
            }
            _ => Ok(self.ident(node)?.name),
        }
    }

    fn time_zone(&self, node: Node<'_>) -> Result<SetValue> {
        if node.has(K::DEFAULT_KW) || node.has(K::LOCAL_KW) {
            return Ok(SetValue::Default);
        }
        let value = self.need(node.nodes().next(), node)?;
        if !value.is(K::CAST_EXPR) {
            return Ok(SetValue::Values(vec![self.setting_value(value)?]));
        }
        match self.operand(value)?.kind {
            ExprKind::TypedLiteral { ty, value }
                if ty.name.parts.last().is_some_and(|name| name.name == "interval") =>
            {
                Ok(SetValue::TimeZoneInterval(value))
            }
            _ => Err(self.syntax_error(value.start())),
        }
    }

    /// SET ROLE and SET SESSION AUTHORIZATION.
    fn set_identity(&self, node: Node<'_>, name: &str) -> Result<Utility> {
        let target = node.nodes().find(|part| !matches!(part.kind(), K::LOCAL_SCOPE | K::SESSION_SCOPE));
        let target = self.need(target, node)?;
        let value = match target.kind() {
            _ if target.has(K::DEFAULT_KW) => SetValue::Default,
            K::SET_SESSION_AUTH_DEFAULT => SetValue::Default,
            K::SET_ROLE_NONE => SetValue::Values(vec!["none".into()]),
            K::LITERAL => SetValue::Values(vec![self.setting_value(target)?]),
            _ => SetValue::Values(vec![self.role(target)?.name]),
        };
        Ok(Utility::Set { scope: self.scope(node), name: name.into(), value })
    }
}
