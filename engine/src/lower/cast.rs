//! Casts.

use aegis_catalog::image::Catalog;
use aegis_catalog::types::{ColumnBuilder, TextEncoder, type_of_field};
use aegis_catalog::{Error, Result, Type, types::oid};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::build::{boolean, literal};
use super::value::{Value, apply};
use super::{Lowerer, is_numeric, numeric};
use crate::bind::tree::CastMethod;
use crate::execute::lambda::Lambda;
use crate::execute::operator::{ScalarOperator, arrays};

impl Lowerer<'_> {
    pub fn cast(&mut self, arg: Value, method: &CastMethod, implicit: bool, ty: Type) -> Result<Value> {
        if let CastMethod::Verify(verified) = method {
            return self.verify(arg, *verified);
        }
        if arg.is_null_constant() {
            return self.null(ty);
        }
        match method {
            CastMethod::Relabel => relabel(self.catalog(), arg, ty),
            CastMethod::Function(function) => {
                if is_numeric(ty.oid)
                    && ty.typmod == -1
                    && arg.constant().is_none()
                    && let Some(value) = numeric::from_integer(&arg, ty)
                {
                    return Ok(value);
                }
                // Cast functions may take the type modifier, and whether the cast was written.
                let mut args = vec![arg];
                if function.args.len() > 1 {
                    let typmod = literal(ScalarValue::Int32(Some(ty.typmod)));
                    args.push(Value::computed(typmod, Type::of(oid::INT4)));
                }
                if function.args.len() > 2 {
                    args.push(Value::computed(boolean(!implicit), Type::of(oid::BOOL)));
                }
                // int2 to oid is int2 to int4, and int4 is as good as oid.
                let returns = Type::of(function.returns);
                if self.representation(returns) != self.representation(ty) {
                    let called = self.call(function, args, returns)?;
                    return relabel(self.catalog(), called, ty);
                }
                self.call(function, args, ty)
            }
            CastMethod::InputOutput => self.cast_by_text(arg, ty),
            CastMethod::Array(element) => self.cast_elements(arg, element, implicit, ty),
            CastMethod::Row(methods) => self.cast_fields(arg, methods, implicit, ty),
            CastMethod::Verify(verified) => self.verify(arg, *verified),
        }
    }

    /// Output function of one type, input function of the other.
    fn cast_by_text(&mut self, arg: Value, ty: Type) -> Result<Value> {
        let arg = arg.into_computed()?;
        let (from, settings) = (arg.ty, self.statement().format.clone());
        let data_type = self.representation(ty);
        let identity = format!("{from:?}:{}:{ty:?}", arg.data_type);
        let operator = ScalarOperator::new("cast", identity, data_type.clone(), move |args, rows| {
            let arrays = arrays(args, rows)?;
            let array = arrays.first().ok_or_else(|| Error::internal("a cast needs an argument"))?;
            let encoder = TextEncoder::new(from, array, &settings)?;
            let mut builder = ColumnBuilder::new(ty, rows, &settings.names)?;
            let mut text = Vec::new();
            for row in 0..rows {
                if encoder.is_null(row) {
                    builder.append_null();
                    continue;
                }
                text.clear();
                encoder.encode(row, &mut text);
                let text = std::str::from_utf8(&text).map_err(|_| Error::internal("text output is not UTF-8"))?;
                builder.append_text(text, &settings)?;
            }
            Ok(ColumnarValue::Array(builder.finish()))
        });
        let expr = match apply(operator, vec![arg.expr])? {
            // Text may not be valid input: other conditions may keep it away.
            datafusion::logical_expr::Expr::ScalarFunction(call) if !is_text(ty.oid) => super::call::repin(call),
            expr => expr,
        };
        Ok(Value::new(expr, ty, data_type))
    }

    fn cast_elements(&mut self, arg: Value, method: &CastMethod, implicit: bool, ty: Type) -> Result<Value> {
        let wrong = || Error::internal("an array cast of something else");
        let from = self.element_of(Type::of(arg.ty.oid)).ok_or_else(wrong)?;
        let to = self.element_of(ty).ok_or_else(wrong)?;
        let element = super::call::element_representation(&arg).ok_or_else(wrong)?;
        let parameter = super::relation::Binding::named("element", element.clone());
        let body = self.cast(Value::new(parameter.expr(), from, element.clone()), method, implicit, to)?;
        let lambda = Lambda::new(vec![("element".into(), element)], &body.into_computed()?.expr)?;
        let data_type = aegis_catalog::types::representation::array_type(lambda.result.clone());
        let identity = format!("{:?}:{ty:?}:{method:?}", arg.ty);
        let operator = ScalarOperator::new("cast_elements", identity, data_type.clone(), move |args, rows| {
            let arrays = arrays(args, rows)?;
            let array = arrays.first().ok_or_else(|| Error::internal("a cast needs an argument"))?;
            crate::execute::array::map_elements(array, &lambda).map(ColumnarValue::Array)
        });
        Ok(Value::new(apply(operator, vec![arg.expr])?, ty, data_type))
    }

    fn cast_fields(&mut self, arg: Value, methods: &[CastMethod], implicit: bool, ty: Type) -> Result<Value> {
        let DataType::Struct(fields) = &arg.data_type else {
            return Err(Error::internal("a row cast of something else"));
        };
        let targets: Vec<Type> = match self.catalog().relation_of_type(ty.oid) {
            Some(relation) => relation.live_columns().map(|column| column.ty).collect(),
            None => fields.iter().map(|field| type_of_field(field)).collect(),
        };
        let fields = fields.clone();
        let cast = fields
            .iter()
            .zip(methods)
            .zip(targets)
            .enumerate()
            .map(|(index, ((field, method), target))| {
                let value = self.field(arg.clone(), index, type_of_field(field))?;
                self.cast(value, method, implicit, target)
            })
            .collect::<Result<Vec<_>>>()?;
        self.row(cast, ty)
    }
}

fn is_text(type_oid: aegis_catalog::Oid) -> bool {
    matches!(type_oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::UNKNOWN | oid::CSTRING)
}

/// The same bits under another type. `int4` and the OID types differ in the sign only.
fn relabel(catalog: &Catalog, arg: Value, ty: Type) -> Result<Value> {
    let target = match arg.data_type {
        DataType::Decimal128(..) | DataType::Struct(_) => arg.data_type.clone(),
        _ => catalog.arrow_type(ty),
    };
    if arg.data_type == target {
        return Ok(Value { ty, ..arg });
    }
    let data_type = target.clone();
    let identity = format!("{}:{target}", arg.data_type);
    let operator = ScalarOperator::new("relabel", identity, target, move |args, rows| {
        let arrays = arrays(args, rows)?;
        let array = arrays.first().ok_or_else(|| Error::internal("a cast needs an argument"))?;
        crate::execute::choose::reinterpret(array, &data_type).map(ColumnarValue::Array)
    });
    let data_type = catalog.arrow_type(ty);
    Ok(Value::new(apply(operator, vec![arg.expr])?, ty, data_type))
}
