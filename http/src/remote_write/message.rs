//! The message of Prometheus's remote write 1.0 (`prometheus.WriteRequest`; "Prometheus Remote-Write 1.0 specification", and the Protocol
//! Buffers encoding). Pure: bytes in, series and errors out.

use std::borrow::Cow;

use aegis_engine::catalog::{Error, sqlstate};

use crate::line_protocol::{Entry, Line, Value};

type Result<T> = std::result::Result<T, Error>;

/// Bits of the value by which Prometheus says that a series has ended: no measured value.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// The label that is the metric's name.
const NAME: &str = "__name__";

/// The column of the values.
const VALUE: &str = "value";

/// Labels whose names the table's own columns have.
const TAKEN: [(&str, &str); 2] = [("time", "exported_time"), (VALUE, "exported_value")];

/// Values of one metric with the same labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    pub metric: String,
    /// As they are columns.
    pub labels: Vec<(String, String)>,
    pub samples: Vec<Sample>,
    /// Why the series cannot be stored.
    refused: Option<Refused>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub value: f64,
    /// Milliseconds since 1970.
    pub time: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    NoName,
    Histogram,
}

/// The series of a message, without its metadata and exemplars. 22P03 for bytes that are no such message.
pub fn decode(message: &[u8]) -> Result<Vec<Series>> {
    let mut series = Vec::new();
    let mut reader = Reader(message);
    while let Some(field) = reader.next()? {
        if let (1, Field::Bytes(bytes)) = field {
            series.push(decode_series(bytes)?);
        }
    }
    Ok(series)
}

fn decode_series(bytes: &[u8]) -> Result<Series> {
    let mut series = Series { refused: Some(Refused::NoName), ..Series::default() };
    let mut histogram = false;
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field {
            (1, Field::Bytes(bytes)) => {
                let (name, value) = decode_label(bytes)?;
                if name == NAME {
                    series.refused = value.is_empty().then_some(Refused::NoName);
                    series.metric = value.to_owned();
                } else if !value.is_empty() {
                    // A label without a value is one that is not there.
                    let column = TAKEN.iter().find(|(taken, _)| *taken == name).map_or(name, |(_, column)| column);
                    series.labels.push((column.to_owned(), value.to_owned()));
                }
            }
            (2, Field::Bytes(bytes)) => series.samples.push(decode_sample(bytes)?),
            (4, Field::Bytes(_)) => histogram = true,
            _ => {}
        }
    }
    if histogram && series.refused.is_none() {
        series.refused = Some(Refused::Histogram);
    }
    Ok(series)
}

fn decode_label(bytes: &[u8]) -> Result<(&str, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| damaged("a label is not UTF-8"));
    let (mut name, mut value) = ("", "");
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field {
            (1, Field::Bytes(bytes)) => name = text(bytes)?,
            (2, Field::Bytes(bytes)) => value = text(bytes)?,
            _ => {}
        }
    }
    if value.contains('\0') || name.contains('\0') {
        return Err(Error::new(sqlstate::CHARACTER_NOT_IN_REPERTOIRE, "a label holds a zero byte"));
    }
    match name.is_empty() {
        true => Err(damaged("a label has no name")),
        false => Ok((name, value)),
    }
}

fn decode_sample(bytes: &[u8]) -> Result<Sample> {
    let mut sample = Sample { value: 0.0, time: 0 };
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field {
            (1, Field::Fixed64(bits)) => sample.value = f64::from_bits(bits),
            (2, Field::Varint(time)) => sample.time = time.cast_signed(),
            (1 | 2, _) => return Err(damaged("a sample's field is of another type")),
            _ => {}
        }
    }
    Ok(sample)
}

/// A field's value; groups are not used any more.
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(*self.take(8)?.first_chunk().ok_or_else(ended)?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| ended())?;
                Field::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Field::Fixed32)?,
            _ => return Err(damaged("a field is of an unknown wire type")),
        };
        match key >> 3 {
            0 => Err(damaged("a field has the number 0")),
            number => Ok(Some((number, field))),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(ended)?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or_else(ended)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged("a number has more than 64 bits"))
    }
}

fn damaged(what: &str) -> Error {
    Error::new(sqlstate::INVALID_BINARY_REPRESENTATION, format!("the message is no prometheus.WriteRequest: {what}"))
}

fn ended() -> Error {
    damaged("it ends too early")
}

/// The samples as points; without those that say that a series has ended.
pub fn entries(series: &[Series]) -> impl Iterator<Item = Entry<'_>> + Send {
    let points = series.iter().flat_map(|series| {
        let measured = series.samples.iter().filter(|sample| sample.value.to_bits() != STALE);
        let refused = series.refused.map(|refused| (series, Err(refused.error())));
        let points =
            measured.filter(|_| series.refused.is_none()).map(move |sample| (series, Ok(line(series, sample))));
        refused.into_iter().chain(points)
    });
    points.zip(1u32..).map(|((series, line), number)| Entry { number, text: series.metric.as_bytes(), line })
}

impl Refused {
    fn error(self) -> Error {
        match self {
            Self::NoName => Error::new(sqlstate::INVALID_PARAMETER_VALUE, "a series has no label __name__"),
            Self::Histogram => Error::unsupported("a native histogram"),
        }
    }
}

fn line<'a>(series: &'a Series, sample: &Sample) -> Line<'a> {
    Line {
        measurement: Cow::Borrowed(&series.metric),
        tags: series.labels.iter().map(|(name, value)| (Cow::Borrowed(&**name), Cow::Borrowed(&**value))).collect(),
        fields: vec![(Cow::Borrowed(VALUE), Value::Float(sample.value))],
        timestamp: Some(sample.time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, bytes.len() as u8];
        out.extend_from_slice(bytes);
        out
    }

    fn label(name: &str, value: &str) -> Vec<u8> {
        field(1, &[field(1, name.as_bytes()), field(2, value.as_bytes())].concat())
    }

    fn sample(value: f64, time: i64) -> Vec<u8> {
        let mut out = vec![1 << 3 | 1];
        out.extend(value.to_le_bytes());
        out.push(2 << 3);
        let mut rest = time.cast_unsigned();
        while rest > 0x7f {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
        field(2, &out)
    }

    #[test]
    fn series_are_read_and_what_is_unknown_is_passed_over() {
        let labels = [label("__name__", "up"), label("job", "node"), label("value", "v"), label("none", "")].concat();
        let exemplar = field(3, b"\x11\0\0\0\0\0\0\0\0");
        let series =
            [labels, sample(1.5, 1_700_000_000_000), sample(f64::INFINITY, -1), exemplar, vec![0x78, 1]].concat();
        let decoded = decode(&[field(3, b"\x08\x01"), field(1, &series)].concat()).unwrap();
        let expected = Series {
            metric: "up".into(),
            labels: vec![("job".into(), "node".into()), ("exported_value".into(), "v".into())],
            samples: vec![Sample { value: 1.5, time: 1_700_000_000_000 }, Sample { value: f64::INFINITY, time: -1 }],
            refused: None,
        };
        assert_eq!(decoded, [expected]);
        let lines: Vec<Line<'_>> = entries(&decoded).map(|entry| entry.line.unwrap()).collect();
        assert_eq!(lines[1].fields, [(Cow::Borrowed("value"), Value::Float(f64::INFINITY))]);
    }

    #[test]
    fn ends_of_series_are_not_values() {
        let series = [label("__name__", "up"), sample(f64::from_bits(STALE), 1), sample(f64::NAN, 2)].concat();
        assert_eq!(entries(&decode(&field(1, &series)).unwrap()).count(), 1);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let whole = field(1, &[label("__name__", "up"), sample(1.0, 2)].concat());
        for end in 1..whole.len() {
            let error = decode(&whole[..end]).unwrap_err();
            assert_eq!(error.code(), sqlstate::INVALID_BINARY_REPRESENTATION, "{end}");
        }
        for bytes in [&b"\x0b"[..], b"\x02\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x0a\x02\x0a\x00"] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
        let histogram = [label("__name__", "h"), field(4, b"")].concat();
        let refused = decode(&[field(1, &histogram), field(1, &sample(1.0, 1))].concat()).unwrap();
        let codes: Vec<_> = entries(&refused).map(|entry| entry.line.unwrap_err().code()).collect();
        assert_eq!(codes, [sqlstate::FEATURE_NOT_SUPPORTED, sqlstate::INVALID_PARAMETER_VALUE]);
    }
}
