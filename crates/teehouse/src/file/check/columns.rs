//! The columns that a table should have.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::value::{Kind, NoKind};

/// A column's type: `int`, or `int?` where values may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type {
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

impl FromStr for Type {
    type Err = NoKind;

    fn from_str(text: &str) -> Result<Self, NoKind> {
        let (kind, nullable) = text.strip_suffix('?').map_or((text, false), |kind| (kind, true));
        Ok(Type { kind: kind.parse()?, nullable })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.name(), if self.nullable { "?" } else { "" })
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) r#type: Type,
}

/// A table's columns, in their order; at least one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Column>")]
pub(crate) struct Columns(Vec<Column>);

/// Not a list of columns.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadColumns {
    #[error("`{0}` is not NAME:TYPE")]
    NoType(String),
    #[error(transparent)]
    NoKind(#[from] NoKind),
    #[error("two columns are called `{0}`")]
    Twice(String),
    #[error("a table has at least one column")]
    None,
}

impl Columns {
    pub(super) fn new(columns: Vec<Column>) -> Result<Self, BadColumns> {
        let mut names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(BadColumns::Twice(pair[0].to_owned())),
            None if columns.is_empty() => Err(BadColumns::None),
            None => Ok(Columns(columns)),
        }
    }

    pub(super) fn as_slice(&self) -> &[Column] {
        &self.0
    }
}

impl TryFrom<Vec<Column>> for Columns {
    type Error = BadColumns;

    fn try_from(columns: Vec<Column>) -> Result<Self, BadColumns> {
        Columns::new(columns)
    }
}

/// `id:int,name:text,amount:float?`. A name may have a colon; one with a comma needs a file.
impl FromStr for Columns {
    type Err = BadColumns;

    fn from_str(text: &str) -> Result<Self, BadColumns> {
        let column = |text: &str| match text.rsplit_once(':') {
            Some((name, kind)) => Ok(Column { name: name.trim().to_owned(), r#type: kind.trim().parse()? }),
            None => Err(BadColumns::NoType(text.to_owned())),
        };
        Columns::new(text.split(',').map(column).collect::<Result<_, _>>()?)
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(at, Column { name, r#type })| {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{name}:{type}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_and_written() {
        let text = "id:int,a:b:text?,day:date";
        let columns: Columns = text.parse().unwrap();
        assert_eq!(columns.to_string(), text);
        assert_eq!(" id : int , a:b:text?,day:date".parse(), Ok(columns.clone()));
        let json = r#"[{"name":"id","type":"int"},{"name":"a:b","type":"text?"},{"name":"day","type":"date"}]"#;
        assert_eq!(serde_json::from_str::<Columns>(json).unwrap(), columns);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, error: &str| assert_eq!(text.parse::<Columns>().unwrap_err().to_string(), error);
        check("", "`` is not NAME:TYPE");
        check("id", "`id` is not NAME:TYPE");
        check("id:integer", "`integer` is no type; there are int, float, bool, date, timestamp and text");
        check("id:int,id:text", "two columns are called `id`");
        for json in ["[]", "{}", r#"[{"name":"a"}]"#, r#"[{"name":"a","type":"int","null":true}]"#] {
            assert!(serde_json::from_str::<Columns>(json).is_err(), "{json}");
        }
    }
}
