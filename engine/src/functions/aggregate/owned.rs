//! Rows that an aggregate keeps. A group's share of a batch is a slice of it, which keeps, and counts, the buffers of all: a thousand
//! groups would seem to hold a thousand batches.

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, MutableArrayData, StringViewArray, make_array};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// The rows alone, if the array holds on to much more.
pub fn owned(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => match array.as_string_view_opt().filter(|views| holds_more_strings(views)) {
            Some(views) => Arc::new(views.iter().collect::<StringViewArray>()),
            None => array.clone(),
        },
        DataType::BinaryView => match array.as_binary_view_opt().filter(|views| holds_more_bytes(views)) {
            Some(views) => Arc::new(views.iter().collect::<BinaryViewArray>()),
            None => array.clone(),
        },
        _ => {
            let data = array.to_data();
            let slice = data.get_slice_memory_size().unwrap_or(usize::MAX / 2);
            if slice.saturating_mul(2) >= array.get_buffer_memory_size() {
                return array.clone();
            }
            let mut copy = MutableArrayData::new(vec![&data], false, data.len());
            match copy.try_extend(0, 0, data.len()) {
                Ok(()) => make_array(copy.freeze()),
                Err(_) => array.clone(),
            }
        }
    }
}

/// Bytes of a view.
const VIEW: usize = 16;

fn holds_more_strings(views: &StringViewArray) -> bool {
    views.get_buffer_memory_size() > 2 * (views.len() * VIEW + views.total_buffer_bytes_used())
}

fn holds_more_bytes(views: &BinaryViewArray) -> bool {
    views.get_buffer_memory_size() > 2 * (views.len() * VIEW + views.total_buffer_bytes_used())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, ListArray};
    use arrow::datatypes::Int32Type;

    #[test]
    fn a_slice_lets_go_of_the_rest() {
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..10_000));
        let strings: ArrayRef =
            Arc::new(StringViewArray::from_iter_values((0..10_000).map(|i| format!("text number {i:09}"))));
        let lists = (0..1_000).map(|i| Some(vec![Some(i), None]));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
        let short: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..10_000).map(|i| format!("{i}"))));
        for array in [numbers, strings, short, lists] {
            assert!(
                Arc::ptr_eq(&owned(&array), &array)
                    || owned(&array).get_array_memory_size() == array.get_array_memory_size()
            );
            let slice = array.slice(500, 3);
            let copy = owned(&slice);
            assert_eq!(&copy, &slice);
            assert!(copy.get_array_memory_size() < 1_000, "{}", copy.get_array_memory_size());
        }
    }
}
