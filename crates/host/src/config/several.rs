//! Flags that can be given several times, and their variable, which holds all of them.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command, Error, builder::TypedValueParser, parser::ValueSource};

/// Reads what each flag holds by `P`: a flag one value, whatever is in it; a variable several, with semicolons between. A
/// semicolon that belongs to a value is written twice there.
#[derive(Clone, Debug)]
pub struct Several<P>(pub P);

impl<P: TypedValueParser> TypedValueParser for Several<P> {
    type Value = Vec<P::Value>;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, Error> {
        Ok(vec![self.0.parse_ref(command, arg, value)?])
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Self::Value, Error> {
        if source != ValueSource::EnvVariable {
            return self.parse_ref(command, arg, value);
        }
        split(value)
            .iter()
            .map(|one| self.0.parse_ref(command, arg, one))
            .collect()
    }
}

/// The values in a variable that holds several. None of them is empty, unless nothing is there at all.
pub(super) fn split(variable: &OsStr) -> Vec<OsString> {
    let Some(text) = variable.to_str() else {
        // What is no text is no value either, which its parser tells.
        return vec![variable.to_owned()];
    };
    let mut values = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        let ends = letter == ';' && rest.next_if_eq(&';').is_none();
        match values.last_mut() {
            Some(value) if !ends => value.push(letter),
            _ => values.push(String::new()),
        }
    }
    if values.len() > 1 {
        values.retain(|value| !value.trim().is_empty());
    }
    if values.is_empty() {
        values.push(String::new());
    }
    values.into_iter().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_split_at_semicolons_but_those_written_twice() {
        for (variable, values) in [
            ("a=1", vec!["a=1"]),
            ("a=1;b=2", vec!["a=1", "b=2"]),
            ("a=x;;y;b=2", vec!["a=x;y", "b=2"]),
            ("a=x;;;b=2;", vec!["a=x;", "b=2"]),
            ("a=x;;;;y", vec!["a=x;;y"]),
            ("a=1; \n", vec!["a=1"]),
            ("", vec![""]),
            (";", vec![""]),
        ] {
            assert_eq!(split(OsStr::new(variable)), values, "{variable}");
        }
    }
}
