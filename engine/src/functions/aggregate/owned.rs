//! Rows that an aggregate keeps. A group's share of a batch is a slice of it, which keeps, and counts, the buffers of all: a thousand
//! groups would seem to hold a thousand batches.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;
use arrow::datatypes::{ByteViewType, DataType};

/// The rows alone, if the array holds on to much more (elements of lists are not looked at).
pub fn owned(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => array.as_string_view_opt().and_then(views_alone).unwrap_or_else(|| array.clone()),
        DataType::BinaryView => array.as_binary_view_opt().and_then(views_alone).unwrap_or_else(|| array.clone()),
        _ => {
            let data = array.to_data();
            let slice = data.get_slice_memory_size().unwrap_or(usize::MAX / 2);
            if slice.saturating_mul(2) >= array.get_buffer_memory_size() {
                return array.clone();
            }
            let rows = UInt32Array::from_iter_values((0..array.len()).map(|row| row as u32));
            take(array, &rows, None).unwrap_or_else(|_| array.clone())
        }
    }
}

/// Bytes of a view.
const VIEW: usize = 16;

fn views_alone<T: ByteViewType>(views: &GenericByteViewArray<T>) -> Option<ArrayRef> {
    let used = views.total_buffer_bytes_used();
    if views.get_buffer_memory_size() <= 2 * (views.len() * VIEW + used) {
        return None;
    }
    if used > 0 {
        return Some(Arc::new(views.gc()));
    }
    // Short strings are in the views themselves.
    let copied = ScalarBuffer::from(views.views().to_vec());
    let copied = GenericByteViewArray::<T>::try_new(copied, Vec::new(), views.nulls().cloned()).ok()?;
    Some(Arc::new(copied))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, StringViewArray};

    #[test]
    fn a_slice_lets_go_of_the_rest() {
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..10_000));
        let strings: ArrayRef =
            Arc::new(StringViewArray::from_iter_values((0..10_000).map(|i| format!("text number {i:09}"))));
        let short: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..10_000).map(|i| format!("{i}"))));
        for array in [numbers, strings, short] {
            let slice = array.slice(500, 3);
            let copy = owned(&slice);
            assert_eq!(&copy, &slice);
            assert!(copy.get_array_memory_size() < 1_000, "{}", copy.get_array_memory_size());
        }
    }
}
