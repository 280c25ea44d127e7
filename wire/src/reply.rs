//! Backend messages: values to bytes, appended to an output buffer. Pure.

use aegis_engine::catalog::{Error, Oid};
use aegis_engine::session::protocol::{Format, Notice, Notification, OutputColumn, TransactionStatus};

/// Appends one message, its length patched in when the body is written.
pub fn message(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(word) = out.get_mut(start..start + 4) {
        word.copy_from_slice(&length.to_be_bytes());
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    // A zero byte would end the string early and make a second one of the rest.
    out.extend(text.bytes().filter(|&byte| byte != 0));
    out.push(0);
}

fn count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

fn format_code(format: Format) -> [u8; 2] {
    match format {
        Format::Text => [0, 0],
        Format::Binary => [0, 1],
    }
}

// ---------------------------------------------------------------------------------------------- startup

pub fn authentication_ok(out: &mut Vec<u8>) {
    message(out, b'R', |out| out.extend_from_slice(&0u32.to_be_bytes()));
}

pub fn authentication_sasl(out: &mut Vec<u8>, mechanisms: &[&str]) {
    message(out, b'R', |out| {
        out.extend_from_slice(&10u32.to_be_bytes());
        for mechanism in mechanisms {
            string(out, mechanism);
        }
        out.push(0);
    });
}

pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: &str) {
    message(out, b'R', |out| {
        out.extend_from_slice(&11u32.to_be_bytes());
        out.extend_from_slice(data.as_bytes());
    });
}

pub fn authentication_sasl_final(out: &mut Vec<u8>, data: &str) {
    message(out, b'R', |out| {
        out.extend_from_slice(&12u32.to_be_bytes());
        out.extend_from_slice(data.as_bytes());
    });
}

/// `minor` is the newest minor version spoken; `options` are the `_pq_.` options nobody knows.
pub fn negotiate_protocol_version(out: &mut Vec<u8>, version: u32, options: &[String]) {
    message(out, b'v', |out| {
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(&u32::try_from(options.len()).unwrap_or(0).to_be_bytes());
        for option in options {
            string(out, option);
        }
    });
}

pub fn parameter_status(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, b'S', |out| {
        string(out, name);
        string(out, value);
    });
}

pub fn backend_key_data(out: &mut Vec<u8>, pid: i32, secret: i32) {
    message(out, b'K', |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(&secret.to_be_bytes());
    });
}

pub fn ready_for_query(out: &mut Vec<u8>, status: TransactionStatus) {
    message(out, b'Z', |out| {
        out.push(match status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::Active => b'T',
            TransactionStatus::Failed => b'E',
        });
    });
}

// ---------------------------------------------------------------------------------------------- statements

pub fn parse_complete(out: &mut Vec<u8>) {
    message(out, b'1', |_| {});
}

pub fn bind_complete(out: &mut Vec<u8>) {
    message(out, b'2', |_| {});
}

pub fn close_complete(out: &mut Vec<u8>) {
    message(out, b'3', |_| {});
}

/// `value` is its length word and bytes.
pub fn function_call_response(out: &mut Vec<u8>, value: &[u8]) {
    message(out, b'V', |out| out.extend_from_slice(value));
}

pub fn no_data(out: &mut Vec<u8>) {
    message(out, b'n', |_| {});
}

pub fn notification(out: &mut Vec<u8>, notification: &Notification) {
    message(out, b'A', |out| {
        out.extend_from_slice(&notification.pid.to_be_bytes());
        string(out, &notification.channel);
        string(out, &notification.payload);
    });
}

pub fn portal_suspended(out: &mut Vec<u8>) {
    message(out, b's', |_| {});
}

pub fn empty_query(out: &mut Vec<u8>) {
    message(out, b'I', |_| {});
}

pub fn command_complete(out: &mut Vec<u8>, tag: &str) {
    message(out, b'C', |out| string(out, tag));
}

pub fn parameter_description(out: &mut Vec<u8>, types: &[Oid]) {
    message(out, b't', |out| {
        count(out, types.len());
        for oid in types {
            out.extend_from_slice(&oid.to_be_bytes());
        }
    });
}

/// Columns without a format of their own are announced as text, as Describe of a statement does.
pub fn row_description(
    out: &mut Vec<u8>,
    columns: &[OutputColumn],
    formats: &[Format],
    length_of: impl Fn(Oid) -> i16,
) {
    message(out, b'T', |out| {
        count(out, columns.len());
        for (index, column) in columns.iter().enumerate() {
            let (table, attribute) = column.origin.unwrap_or((0, 0));
            let length = length_of(column.ty.oid);
            string(out, &column.name);
            out.extend_from_slice(&table.to_be_bytes());
            out.extend_from_slice(&attribute.to_be_bytes());
            out.extend_from_slice(&column.ty.oid.to_be_bytes());
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&column.ty.typmod.to_be_bytes());
            out.extend_from_slice(&format_code(format_of(formats, index)));
        }
    });
}

/// Result formats as Bind gives them: none is text, one is for all columns, else one each.
pub fn format_of(formats: &[Format], column: usize) -> Format {
    match formats {
        [] => Format::Text,
        [all] => *all,
        each => each.get(column).copied().unwrap_or(Format::Text),
    }
}

// ---------------------------------------------------------------------------------------------- COPY

pub fn copy_in(out: &mut Vec<u8>, format: Format, columns: usize) {
    copy_response(out, b'G', format, columns);
}

pub fn copy_out(out: &mut Vec<u8>, format: Format, columns: usize) {
    copy_response(out, b'H', format, columns);
}

fn copy_response(out: &mut Vec<u8>, tag: u8, format: Format, columns: usize) {
    message(out, tag, |out| {
        let [_, code] = format_code(format);
        out.push(code);
        count(out, columns);
        for _ in 0..columns {
            out.extend_from_slice(&format_code(format));
        }
    });
}

pub fn copy_data(out: &mut Vec<u8>, data: &[u8]) {
    message(out, b'd', |out| out.extend_from_slice(data));
}

pub fn copy_done(out: &mut Vec<u8>) {
    message(out, b'c', |_| {});
}

// ---------------------------------------------------------------------------------------------- errors and notices

/// How bad an ErrorResponse is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed.
    Error,
    /// The connection ends.
    Fatal,
}

pub fn error(out: &mut Vec<u8>, severity: Severity, error: &Error) {
    let severity = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    message(out, b'E', |out| fields(out, severity, error));
}

pub fn notice(out: &mut Vec<u8>, notice: &Notice) {
    message(out, b'N', |out| fields(out, notice.severity, &notice.fields));
}

/// "Error and Notice Message Fields" of the manual, in the order PostgreSQL sends them.
fn fields(out: &mut Vec<u8>, severity: &str, error: &Error) {
    let error = error.fields();
    let position = error.position.map(|position| position.to_string());
    let routine = error.routine.map(str::to_owned);
    let (internal_position, internal_query) = error
        .internal
        .as_ref()
        .map(|(offset, sql)| {
            let before = sql.get(..*offset as usize).unwrap_or(sql);
            ((before.chars().count() + 1).to_string(), sql.clone())
        })
        .unzip();
    let required = [(b'S', severity), (b'V', severity), (b'C', error.code.as_str()), (b'M', &error.message)];
    let optional = [
        (b'D', &error.detail),
        (b'H', &error.hint),
        (b'P', &position),
        (b'p', &internal_position),
        (b'q', &internal_query),
        (b'W', &error.context),
        (b's', &error.schema),
        (b't', &error.table),
        (b'c', &error.column),
        (b'd', &error.datatype),
        (b'n', &error.constraint),
        (b'R', &routine),
    ];
    for (code, value) in required {
        out.push(code);
        string(out, value);
    }
    for (code, value) in optional {
        if let Some(value) = value {
            out.push(code);
            string(out, value);
        }
    }
    out.push(0);
}

#[cfg(test)]
mod tests {
    use aegis_engine::catalog::sqlstate;
    use aegis_engine::catalog::types::{Type, oid};

    use super::*;

    #[test]
    fn error_fields() {
        let mut out = Vec::new();
        let failure = Error::new(sqlstate::UNIQUE_VIOLATION, "du\0plicate")
            .with_detail("there")
            .at(7)
            .with_table("public", "t")
            .with_constraint("t_pkey");
        error(&mut out, Severity::Error, &failure);
        assert_eq!(out[0], b'E');
        assert_eq!(u32::from_be_bytes(out[1..5].try_into().unwrap()) as usize, out.len() - 1);
        assert_eq!(&out[5..], b"SERROR\0VERROR\0C23505\0Mduplicate\0Dthere\0P7\0spublic\0tt\0nt_pkey\0\0".as_slice());
    }

    #[test]
    fn row_description_fields() {
        let mut out = Vec::new();
        let columns = [
            OutputColumn { name: "a".into(), ty: Type::of(oid::INT4), origin: Some((16384, 1)) },
            OutputColumn { name: "b".into(), ty: Type::new(oid::VARCHAR, 14), origin: None },
        ];
        row_description(&mut out, &columns, &[Format::Text, Format::Binary], |oid| {
            aegis_engine::catalog::types::type_info(oid).map_or(-1, |info| info.len)
        });
        let expected = [
            b"T\0\0\0\x2e\0\x02".as_slice(),
            b"a\0\0\0\x40\0\0\x01\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0",
            b"b\0\0\0\0\0\0\0\0\0\x04\x13\xff\xff\0\0\0\x0e\0\x01",
        ]
        .concat();
        assert_eq!(out, expected);
    }
}
