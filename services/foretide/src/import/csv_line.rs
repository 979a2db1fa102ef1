//! Rows of comma-separated files, one a line, by the names of their columns.

use std::borrow::Cow;

use anyhow::{Context as _, bail};

use super::row::Unusable;

/// Where the wanted columns of a file are.
#[derive(Debug)]
pub(crate) struct Columns<const N: usize> {
    places: [usize; N],
    count: usize,
}

impl<const N: usize> Columns<N> {
    /// Finds the columns `names` in the heading.
    pub(crate) fn find(heading: &str, names: [&str; N]) -> anyhow::Result<Self> {
        let found = split(heading).context("the heading cannot be read")?;
        let mut places = [0; N];
        let mut missing = Vec::new();
        for (place, name) in places.iter_mut().zip(names) {
            match found.iter().position(|column| column.trim() == name) {
                Some(at) => *place = at,
                None => missing.push(name),
            }
        }
        if !missing.is_empty() {
            bail!(
                "the file's first line lacks the columns {}; it is: {}",
                missing.join(", "),
                shortened(heading)
            );
        }
        Ok(Self {
            places,
            count: found.len(),
        })
    }

    /// The wanted fields of `line`, in the order of the names.
    pub(crate) fn fields<'a>(&self, line: &'a str) -> Result<[Cow<'a, str>; N], Unusable> {
        let mut found = split(line).map_err(|error| Unusable::unreadable(error.to_string()))?;
        if found.len() != self.count {
            return Err(Unusable::unreadable(format!(
                "has {} fields instead of {}",
                found.len(),
                self.count
            )));
        }
        Ok(self.places.map(|place| std::mem::take(&mut found[place])))
    }
}

/// The fields of a line. Each line stands alone: a stray quote cannot swallow the rows after it.
fn split(line: &str) -> Result<Vec<Cow<'_, str>>, csv::Error> {
    if !line.contains('"') {
        return Ok(line.split(',').map(Cow::Borrowed).collect());
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record)?;
    Ok(record
        .iter()
        .map(|field| Cow::Owned(field.to_owned()))
        .collect())
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let columns = Columns::find("b,x,a", ["a", "b"]).unwrap();
        assert_eq!(columns.fields("1,2,3").unwrap(), ["3", "1"]);
        assert_eq!(
            columns.fields(r#""one, ""two""",2,3"#).unwrap(),
            ["3", "one, \"two\""]
        );
    }

    #[test]
    fn a_row_with_too_few_or_too_many_fields_is_unreadable() {
        let columns = Columns::find("a,b", ["a", "b"]).unwrap();
        for line in ["1", "1,2,3", ""] {
            assert_eq!(
                columns.fields(line).unwrap_err().reason,
                "unreadable_row",
                "{line}"
            );
        }
    }

    #[test]
    fn a_heading_without_a_wanted_column_is_refused_by_name() {
        let error = Columns::find("a,b", ["a", "price", "time"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("price, time"), "{error}");
    }
}
