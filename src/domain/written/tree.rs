//! A TOML tree, as serde reads a type from it.
//!
//! It stands in for `toml`'s own reader, which offers every type whatever stands in the file, so that each
//! type's reader is compiled for numbers, dates and arrays, too: 100 kB on a router. Here a type is given what
//! it asks for, or the fault is said at once. A date is given as its text.

use std::fmt;
use std::ops::Range;
use std::slice;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeString, DeTable, DeValue};

/// Why a type cannot be read, and where in the text.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) message: String,
    pub(super) span: Option<Range<usize>>,
}

impl Refused {
    /// The innermost place is kept.
    fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            message: message.to_string(),
            span: None,
        }
    }
}

/// Reads a whole file.
pub(super) fn read<T: DeserializeOwned>(file: &Spanned<DeTable<'_>>) -> Result<T, Refused> {
    T::deserialize(Root(file.get_ref())).map_err(|refused| refused.at(file.span()))
}

struct Root<'de>(&'de DeTable<'de>);

impl<'de> Deserializer<'de> for Root<'de> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_map(Entries::of(self.0))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[derive(Clone, Copy)]
struct Value<'de>(&'de DeValue<'de>);

impl Value<'_> {
    fn refuse(self, expected: &dyn Expected) -> Refused {
        let found = match self.0 {
            DeValue::String(text) => Unexpected::Str(text),
            DeValue::Integer(number) => Unexpected::Other(number.as_str()),
            DeValue::Float(number) => Unexpected::Other(number.as_str()),
            DeValue::Boolean(is) => Unexpected::Bool(*is),
            DeValue::Datetime(_) => Unexpected::Other("date"),
            DeValue::Array(_) => Unexpected::Seq,
            DeValue::Table(_) => Unexpected::Map,
        };
        Refused::invalid_type(found, expected)
    }
}

fn integer(number: &DeInteger<'_>) -> Result<i64, Refused> {
    i64::from_str_radix(number.as_str(), number.radix())
        .map_err(|_| Refused::custom("the number is too large"))
}

fn float(number: &DeFloat<'_>) -> Result<f64, Refused> {
    let read = number.as_str().parse();
    read.map_err(|_| Refused::custom("the number cannot be read"))
}

macro_rules! read_integers {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            match self.0.as_integer() {
                Some(number) => visitor.visit_i64(integer(number)?),
                None => Err(self.refuse(&visitor)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Refused;

    /// For types that take more than one kind of value, and for a tree of any kind.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.0 {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(number) => visitor.visit_i64(integer(number)?),
            DeValue::Float(number) => visitor.visit_f64(float(number)?),
            DeValue::Boolean(is) => visitor.visit_bool(*is),
            DeValue::Datetime(time) => visitor.visit_string(time.to_string()),
            DeValue::Array(items) => visitor.visit_seq(Items(items.iter())),
            DeValue::Table(table) => visitor.visit_map(Entries::of(table)),
        }
    }

    read_integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.0.as_bool() {
            Some(is) => visitor.visit_bool(is),
            None => Err(self.refuse(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.0.as_str() {
            Some(text) => visitor.visit_str(text),
            None => Err(self.refuse(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.0.as_array() {
            Some(items) => visitor.visit_seq(Items(items.iter())),
            None => Err(self.refuse(&visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.0.as_table() {
            Some(table) => visitor.visit_map(Entries::of(table)),
            None => Err(self.refuse(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_map(visitor)
    }

    /// A value that is there; TOML has no null.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    /// A variant's name, or a table with the name alone as its key.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if let Some(text) = self.0.as_str() {
            return visitor.visit_enum(name(text));
        }
        match self.0.as_table() {
            Some(table) if table.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries::of(table)))
            }
            Some(_) | None => Err(self.refuse(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    // Nothing that people write is one of these.
    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

fn name(text: &str) -> StrDeserializer<'_, Refused> {
    text.into_deserializer()
}

struct Items<'de>(slice::Iter<'de, Spanned<DeValue<'de>>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        let Some(item) = self.0.next() else {
            return Ok(None);
        };
        let read = seed.deserialize(Value(item.get_ref()));
        read.map(Some).map_err(|refused| refused.at(item.span()))
    }
}

struct Entries<'de> {
    rest: toml::map::Iter<'de, Spanned<DeString<'de>>, Spanned<DeValue<'de>>>,
    /// The value of the key that was read last.
    value: Option<&'de Spanned<DeValue<'de>>>,
}

impl<'de> Entries<'de> {
    fn of(table: &'de DeTable<'de>) -> Self {
        Self {
            rest: table.iter(),
            value: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        let read = seed.deserialize(name(key.get_ref()));
        read.map(Some).map_err(|refused| refused.at(key.span()))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        let value = self.value.take().expect("serde asks for the key first");
        let read = seed.deserialize(Value(value.get_ref()));
        read.map_err(|refused| refused.at(value.span()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Everything {
        text: String,
        small: u8,
        negative: i64,
        is: bool,
        maybe: Option<u32>,
        missing: Option<u32>,
        list: Vec<Inner>,
        by_name: BTreeMap<String, Kind>,
        any: toml::Value,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner(i32);

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Plain,
        With(u32),
        Fields { a: u8 },
    }

    const TEXT: &str = r#"
text = "a\n'b'"
small = 0xff
negative = -9_000
is = true
maybe = 7
list = [1, 2]
any = [1.5, { day = 2026-12-01 }]
[by_name]
one = "Plain"
two = { With = 2 }
three = { Fields = { a = 3 } }
"#;

    fn tree(text: &str) -> Spanned<DeTable<'_>> {
        DeTable::parse(text).unwrap()
    }

    fn refused(text: &str) -> Refused {
        read::<Everything>(&tree(text)).unwrap_err()
    }

    #[test]
    fn everything_that_people_write_is_read_as_toml_itself_reads_it() {
        let quoted = TEXT.replace("2026-12-01", "\"2026-12-01\"");
        let expected: Everything = toml::from_str(&quoted).unwrap();
        assert_eq!(read::<Everything>(&tree(TEXT)).unwrap(), expected);
        assert_eq!(expected.by_name["three"], Kind::Fields { a: 3 });
    }

    #[test]
    fn a_value_of_another_kind_is_refused_where_it_stands() {
        for (right, wrong, said) in [
            ("0xff", "256", "invalid value: integer `256`, expected u8"),
            (
                "-9_000",
                "9_223_372_036_854_775_808",
                "the number is too large",
            ),
            (
                "true",
                "\"yes\"",
                "invalid type: string \"yes\", expected a boolean",
            ),
            ("= 7", "= 7.5", "invalid type: 7.5, expected u32"),
            (
                "[1, 2]",
                "[1, true]",
                "invalid type: boolean `true`, expected i32",
            ),
            (
                "\"Plain\"",
                "\"Plane\"",
                "unknown variant `Plane`, expected one of",
            ),
            (
                "With =",
                "Width =",
                "unknown variant `Width`, expected one of",
            ),
            (
                "\"a\\n'b'\"",
                "2026-12-01",
                "invalid type: date, expected a string",
            ),
            ("\"a\\n'b'\"", "{}", "invalid type: map, expected a string"),
        ] {
            let text = TEXT.replace(right, wrong);
            assert_ne!(text, TEXT, "{right} is not there");
            let refused = refused(&text);
            assert!(refused.message.starts_with(said), "{refused}");
            let span = refused.span.unwrap();
            let inner = wrong.trim_start_matches("= ").trim_start_matches("[1, ");
            let inner = inner.trim_end_matches(']').trim_end_matches(" =");
            assert_eq!(&text[span], inner, "{said}");
        }
    }

    #[test]
    fn a_missing_key_is_a_fault_of_its_table() {
        let missing = refused("text = \"a\"");
        assert_eq!(missing.message, "missing field `small`");
        let text = TEXT.replace("{ a = 3 }", "{}");
        let refused = refused(&text);
        assert_eq!(refused.message, "missing field `a`");
        assert_eq!(&text[refused.span.unwrap()], "{}");
    }
}
