//! What decides how a table is read, without files.

use super::*;

fn builder(target: Target, features: Option<usize>) -> Builder<'static> {
    Builder::new(Wanted { target, features, ..Wanted::default() }, 1 << 20)
}

const PLACE: Place = Place { input: 0, unit: "line", row: 1 };

fn cells<'a>(text: &'a [&'a str]) -> impl ExactSizeIterator<Item = Cell<'a>> {
    text.iter().map(|field| Cell::Text(field))
}

#[test]
fn the_last_column_is_the_label_and_numbers_are_labels_by_value() {
    let mut builder = builder(Target::Class, None);
    for row in [&["1", "2", "10"][..], &["3", "4", "9.0"], &["5", "6", "9"]] {
        builder.row(PLACE, cells(row)).unwrap();
    }
    let table = builder.finish();
    assert_eq!((table.columns, table.len()), (2, 3));
    assert_eq!((&table.names[..], &table.classes[..]), (&["9".to_owned(), "10".to_owned()][..], &[1, 0, 0][..]));
}

#[test]
fn there_is_room_for_a_share_of_the_memory() {
    let mut builder = Builder::new(Wanted::default(), 64 * 4);
    for _ in 0..2 {
        builder.row(PLACE, cells(&["1", "2"])).unwrap();
    }
    assert!(matches!(builder.row(PLACE, cells(&["1", "2"])), Err(Failure::Limit(Limit::Memory(256)))));
}
