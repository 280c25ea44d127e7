//! Bytes to columns and back: COPY's formats and the rows of results.

use std::sync::Arc;

use aegis_catalog::types::{FormatSettings, Type, oid};
use aegis_engine::copy::{CopyColumn, CopyOptions, CopyReader, CopyWriter};
use aegis_engine::parse::utility::CopyOptionValue;
use aegis_engine::session::protocol::{Format, OutputColumn};
use aegis_wire::RowEncoder;
use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use criterion::{BatchSize, Criterion, Throughput};

const ROWS: usize = 8192;

/// A reading of a device: what time series are made of.
fn columns() -> Vec<CopyColumn> {
    let types = [("time", oid::TIMESTAMP), ("device", oid::TEXT), ("region", oid::TEXT), ("count", oid::INT4)];
    let column = |name: String, ty| CopyColumn { name, ty: Type::of(ty) };
    let values = (0..8).map(|at| column(format!("value{at}"), oid::FLOAT8));
    types.into_iter().map(|(name, ty)| column(name.to_owned(), ty)).chain(values).collect()
}

fn rows() -> RecordBatch {
    let numbers = || 0..ROWS as i32;
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(
            numbers().map(|at| 1_700_000_000_000_000 + i64::from(at)),
        )),
        Arc::new(StringViewArray::from_iter_values(numbers().map(|at| format!("device-{}", at % 500)))),
        Arc::new(StringViewArray::from_iter_values(numbers().map(|at| ["north", "south", "east"][at as usize % 3]))),
        Arc::new(Int32Array::from_iter_values(numbers().map(|at| at.wrapping_mul(7919)))),
    ];
    arrays.extend((0..8).map(|column| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(numbers().map(|at| f64::from(at * 31 + column) / 100.0)))
    }));
    RecordBatch::try_from_iter(columns().into_iter().map(|column| column.name).zip(arrays)).unwrap()
}

fn options(format: &str, from: bool) -> CopyOptions {
    CopyOptions::new(&[("format".to_owned(), CopyOptionValue::Text(format.to_owned()))], from).unwrap()
}

fn written(format: &str, batch: &RecordBatch) -> Vec<u8> {
    let mut writer = CopyWriter::new(columns(), options(format, false), FormatSettings::default()).unwrap();
    let mut bytes = writer.write(batch).unwrap().data;
    bytes.extend_from_slice(&writer.finish().unwrap().data);
    bytes
}

pub fn copy_from(c: &mut Criterion) {
    let mut group = c.benchmark_group("COPY FROM, rows");
    group.throughput(Throughput::Elements(ROWS as u64));
    for format in ["text", "csv", "binary"] {
        let bytes = written(format, &rows());
        let reader = || CopyReader::new("t", columns(), options(format, true), FormatSettings::default()).unwrap();
        group.bench_function(format, |b| {
            b.iter_batched(
                reader,
                |mut reader| {
                    reader.push(&bytes);
                    reader.end();
                    let mut found = 0;
                    while let Some(batch) = reader.next_batch().unwrap() {
                        found += batch.rows.num_rows();
                    }
                    assert_eq!(found, ROWS);
                },
                BatchSize::SmallInput,
            );
        });
    }
}

pub fn copy_to(c: &mut Criterion) {
    let mut group = c.benchmark_group("COPY TO, rows");
    group.throughput(Throughput::Elements(ROWS as u64));
    let batch = rows();
    for format in ["text", "csv", "binary"] {
        group.bench_function(format, |b| b.iter(|| written(format, &batch)));
    }
}

pub fn result_rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("rows of a result");
    group.throughput(Throughput::Elements(ROWS as u64));
    let (batch, settings) = (rows(), FormatSettings::default());
    let columns: Vec<_> =
        columns().into_iter().map(|CopyColumn { name, ty }| OutputColumn { name, ty, origin: None }).collect();
    let mut out = Vec::new();
    for (name, format) in [("text", Format::Text), ("binary", Format::Binary)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                let mut encoder = RowEncoder::new(&batch, &columns, &[format], &settings).unwrap();
                assert!(!encoder.encode(&mut out, usize::MAX).unwrap());
            });
        });
    }
}
