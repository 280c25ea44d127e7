//! Large object functions (PostgreSQL manual 35.3 and 35.4, be-fsstubs.c).

use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::signature::{Row as Listed, f};
use crate::extension::{Caller, Row};
use crate::large_object::{self, Descriptor, LargeObject, MAX_SIZE};
use crate::{row, session};

/// Flags of `lo_open`.
const INV_WRITE: i32 = 0x0002_0000;
const INV_READ: i32 = 0x0004_0000;

/// Most bytes of one value.
const MAX_VALUE: i64 = 0x3fff_ffff - 4;

pub fn functions() -> Vec<Listed> {
    vec![
        f("lo_creat(int4)", session!(create_any)),
        f("lo_create(oid)", session!(create)),
        f("lo_open(oid, int4)", session!(open)),
        f("lo_close(int4)", session!(close)),
        f("loread(int4, int4)", session!(read)),
        f("lowrite(int4, bytea)", session!(write)),
        f("lo_lseek(int4, int4, int4)", session!(seek)),
        f("lo_lseek64(int4, int8, int4)", session!(seek64)),
        f("lo_tell(int4)", session!(tell)),
        f("lo_tell64(int4)", session!(tell64)),
        f("lo_truncate(int4, int4)", session!(truncate)),
        f("lo_truncate64(int4, int8)", session!(truncate64)),
        f("lo_unlink(oid)", session!(unlink)),
        f("lo_from_bytea(oid, bytea)", session!(from_bytes)),
        f("lo_get(oid)", session!(get)),
        f("lo_get(oid, int8, int4)", session!(get_part)),
        f("lo_put(oid, int8, bytea)", session!(put)),
    ]
}

type Rows = Result<Vec<Row>>;

async fn new_object(caller: &mut Caller<'_>, oid: Oid) -> Result<Oid> {
    let owner = caller.context()?.user_oid;
    let session = caller.session();
    let oid = match oid {
        0 => {
            session.shared.catalog.reserve_oids().await?;
            session.shared.catalog.allocate_oid()?
        }
        oid => oid,
    };
    session.large_objects()?.create(oid, owner)?;
    Ok(oid)
}

async fn create_any(mut caller: Caller<'_>, _: Row) -> Rows {
    Ok(vec![row![new_object(&mut caller, 0).await?]])
}

async fn create(mut caller: Caller<'_>, arguments: Row) -> Rows {
    Ok(vec![row![new_object(&mut caller, arguments.get(0)?).await?]])
}

async fn open(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let (oid, mode): (Oid, i32) = (arguments.get(0)?, arguments.get(1)?);
    let writable = mode & INV_WRITE != 0;
    // Who may write may read.
    let readable = writable || mode & INV_READ != 0;
    if !readable {
        let message = format!("invalid flags for opening a large object: {mode}");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    let context = caller.context()?;
    let session = caller.session();
    let object = session.large_objects()?.existing(oid)?;
    if mode & INV_READ != 0 {
        large_object::require(&object, "r", &context)?;
    }
    if writable {
        large_object::require(&object, "w", &context)?;
    }
    let transaction = session.transaction.as_mut().ok_or_else(no_transaction)?;
    let depth = transaction.savepoints.len();
    Ok(vec![row![transaction.large_objects.open(oid, (readable, writable), depth)?]])
}

fn no_transaction() -> Error {
    Error::internal("large objects outside a transaction")
}

fn descriptor<'a>(caller: &'a mut Caller<'_>, number: i32) -> Result<&'a mut Descriptor> {
    caller.session().transaction.as_mut().ok_or_else(no_transaction)?.large_objects.get(number)
}

/// The descriptor of the first argument, and its object.
fn opened(caller: &mut Caller<'_>, number: i32) -> Result<(Descriptor, LargeObject)> {
    let descriptor = descriptor(caller, number)?.clone();
    let object = caller.session().large_objects()?.existing(descriptor.object)?;
    Ok((descriptor, object))
}

/// As [`opened`], to write: nobody else may until the transaction ends. 55000 if it was opened to read alone.
async fn opened_to_write(caller: &mut Caller<'_>, number: i32) -> Result<(Descriptor, LargeObject)> {
    let descriptor = descriptor(caller, number)?.clone();
    if !descriptor.writable {
        let message = format!("large object descriptor {number} was not opened for writing");
        return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    caller.session().lock_large_object(descriptor.object).await?;
    opened(caller, number)
}

async fn close(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let transaction = caller.session().transaction.as_mut().ok_or_else(no_transaction)?;
    transaction.large_objects.close(arguments.get(0)?)?;
    Ok(vec![row![0_i32]])
}

async fn read(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let (number, length): (i32, i32) = (arguments.get(0)?, arguments.get(1)?);
    let (from, object) = opened(&mut caller, number)?;
    if !from.readable {
        let message = format!("large object descriptor {number} was not opened for reading");
        return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
    }
    let length = usize::try_from(length).unwrap_or(0);
    let bytes = caller.session().large_objects()?.read(&object, from.offset, length)?;
    descriptor(&mut caller, number)?.offset += i64::try_from(bytes.len()).unwrap_or(0);
    Ok(vec![row![bytes]])
}

async fn write(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let (number, bytes): (i32, &[u8]) = (arguments.get(0)?, arguments.get(1)?);
    let (to, object) = opened_to_write(&mut caller, number).await?;
    write_at(&mut caller, &object, to.offset, bytes)?;
    let written = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    descriptor(&mut caller, number)?.offset += i64::from(written);
    Ok(vec![row![written]])
}

/// 22023 behind the largest size.
fn write_at(caller: &mut Caller<'_>, object: &LargeObject, offset: i64, bytes: &[u8]) -> Result<()> {
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    if offset.checked_add(length).is_none_or(|end| end > MAX_SIZE) {
        let message = format!("invalid large object write request size: {length}");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    caller.session().large_objects()?.write(object, offset, bytes)
}

fn seek_to(caller: &mut Caller<'_>, number: i32, offset: i64, whence: i32) -> Result<i64> {
    let (from, object) = opened(caller, number)?;
    let start = match whence {
        0 => 0,
        1 => from.offset,
        2 => object.size,
        _ => {
            let message = format!("invalid whence setting: {whence}");
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
    };
    let target = start.wrapping_add(offset);
    if !(0..=MAX_SIZE).contains(&target) {
        let message = format!("invalid large object seek target: {target}");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    Ok(target)
}

/// 22003 if a position does not fit into the function's type.
fn narrow(position: i64, function: &str, number: i32) -> Result<i32> {
    i32::try_from(position).map_err(|_| {
        let message = format!("{function} result out of range for large-object descriptor {number}");
        Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, message)
    })
}

async fn seek(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let (number, offset, whence): (i32, i32, i32) = (arguments.get(0)?, arguments.get(1)?, arguments.get(2)?);
    let target = seek_to(&mut caller, number, i64::from(offset), whence)?;
    let shown = narrow(target, "lo_lseek", number)?;
    descriptor(&mut caller, number)?.offset = target;
    Ok(vec![row![shown]])
}

async fn seek64(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let (number, offset, whence): (i32, i64, i32) = (arguments.get(0)?, arguments.get(1)?, arguments.get(2)?);
    let target = seek_to(&mut caller, number, offset, whence)?;
    descriptor(&mut caller, number)?.offset = target;
    Ok(vec![row![target]])
}

async fn tell(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let number: i32 = arguments.get(0)?;
    Ok(vec![row![narrow(descriptor(&mut caller, number)?.offset, "lo_tell", number)?]])
}

async fn tell64(mut caller: Caller<'_>, arguments: Row) -> Rows {
    Ok(vec![row![descriptor(&mut caller, arguments.get(0)?)?.offset]])
}

async fn truncate_to(caller: &mut Caller<'_>, number: i32, length: i64) -> Rows {
    let (_, object) = opened_to_write(caller, number).await?;
    if !(0..=MAX_SIZE).contains(&length) {
        let message = format!("invalid large object truncation target: {length}");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    caller.session().large_objects()?.truncate(&object, length)?;
    Ok(vec![row![0_i32]])
}

async fn truncate(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let length: i32 = arguments.get(1)?;
    truncate_to(&mut caller, arguments.get(0)?, i64::from(length)).await
}

async fn truncate64(mut caller: Caller<'_>, arguments: Row) -> Rows {
    truncate_to(&mut caller, arguments.get(0)?, arguments.get(1)?).await
}

async fn unlink(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let oid: Oid = arguments.get(0)?;
    let context = caller.context()?;
    let session = caller.session();
    session.lock_large_object(oid).await?;
    let object = session.large_objects()?.existing(oid)?;
    object.owned().require_owner(&context)?;
    crate::statement::large_object::unlink(session, oid, &context)?;
    Ok(vec![row![1_i32]])
}

async fn from_bytes(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let oid = new_object(&mut caller, arguments.get(0)?).await?;
    let object = caller.session().large_objects()?.existing(oid)?;
    write_at(&mut caller, &object, 0, arguments.get(1)?)?;
    Ok(vec![row![oid]])
}

async fn get(mut caller: Caller<'_>, arguments: Row) -> Rows {
    read_part(&mut caller, arguments.get(0)?, 0, None)
}

async fn get_part(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let length: i32 = arguments.get(2)?;
    if length < 0 {
        let message = "requested length cannot be negative";
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    read_part(&mut caller, arguments.get(0)?, arguments.get(1)?, Some(i64::from(length)))
}

fn read_part(caller: &mut Caller<'_>, oid: Oid, offset: i64, length: Option<i64>) -> Rows {
    let context = caller.context()?;
    let objects = caller.session().large_objects()?;
    let object = objects.existing(oid)?;
    large_object::require(&object, "r", &context)?;
    if !(0..=MAX_SIZE).contains(&offset) {
        let message = format!("invalid large object seek target: {offset}");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    let rest = object.size.saturating_sub(offset).max(0);
    let length = length.map_or(rest, |length| length.min(rest));
    if length > MAX_VALUE {
        return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "large object read request is too large"));
    }
    Ok(vec![row![objects.read(&object, offset, usize::try_from(length).unwrap_or(0))?]])
}

async fn put(mut caller: Caller<'_>, arguments: Row) -> Rows {
    let (oid, offset, bytes): (Oid, i64, &[u8]) = (arguments.get(0)?, arguments.get(1)?, arguments.get(2)?);
    let context = caller.context()?;
    caller.session().lock_large_object(oid).await?;
    let object = caller.session().large_objects()?.existing(oid)?;
    large_object::require(&object, "w", &context)?;
    if !(0..=MAX_SIZE).contains(&offset) {
        let message = format!("invalid large object seek target: {offset}");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    write_at(&mut caller, &object, offset, bytes)?;
    Ok(Vec::new())
}
