//! Constants: the value as its type's output function writes it, with the type where the text alone would mean another one.

use aegis_catalog::Type;
use aegis_catalog::types::{oid, text_of};
use datafusion::scalar::ScalarValue;

use super::Deparser;

/// When a constant is followed by `::type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// The caller writes one.
    Never,
    Needed,
    Always,
}

impl Deparser<'_> {
    pub(super) fn constant(&mut self, value: &ScalarValue, ty: Type, label: Label) {
        if value.is_null() {
            self.push("NULL");
            return if label != Label::Never {
                self.label(ty)
            };
        }
        let text = value.to_array().map_err(|error| aegis_catalog::Error::internal(error.to_string()));
        let text = match text.and_then(|array| text_of(ty, &array, 0, self.target.format)) {
            Ok(text) => text,
            Err(error) => {
                self.failure.get_or_insert(error);
                return;
            }
        };
        let digits = text.starts_with(|c: char| c.is_ascii_digit());
        let bare = match ty.oid {
            oid::INT4 => digits,
            oid::NUMERIC => digits && text.contains(['e', 'E', '.']),
            oid::BOOL => true,
            _ => false,
        };
        match (ty.oid, text.as_str()) {
            (oid::BOOL, "t") => self.push("true"),
            (oid::BOOL, _) => self.push("false"),
            _ if bare => self.push(&text),
            _ => self.push(&format!("'{}'", text.replace('\'', "''"))),
        }
        let needed = match ty.oid {
            oid::BOOL | oid::UNKNOWN => false,
            oid::NUMERIC => !bare || ty.typmod >= 0,
            _ => !bare,
        };
        if label == Label::Always || (label == Label::Needed && needed) {
            self.label(ty);
        }
    }

    fn label(&mut self, ty: Type) {
        self.push("::");
        self.type_name(ty);
    }
}
