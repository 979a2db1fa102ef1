//! The two kinds of databases behind one face: statements with numbered parameters, rows of texts and whole numbers.

use foretide_ports::StoreError;
use sqlx::{
    ColumnIndex, Connection as _, Decode, Postgres, Row as _, Sqlite, Type,
    pool::PoolConnection,
    postgres::{PgPool, PgRow},
    sqlite::{SqlitePool, SqliteRow},
};

use crate::{
    errors::{explain, nonsense},
    escape::{escaped, unescaped},
};

/// The connections that are open.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    pub(crate) async fn acquire(&self) -> Result<Connection, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
            Self::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Whole(i64),
}

impl Value {
    /// Any text, escaped.
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(escaped(text).into_owned())
    }

    /// A count or version; beyond what a database holds it stops at the most.
    pub(crate) fn count(count: u64) -> Self {
        Self::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// One connection of the pool.
pub(crate) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A statement with its parameters, for either kind.
macro_rules! query {
    ($kind:ty, $sql:expr, $values:expr) => {{
        let mut query = sqlx::query::<$kind>($sql);
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text.as_str()),
                Value::Whole(number) => query.bind(*number),
            };
        }
        query
    }};
}

impl Connection {
    /// Runs a statement; how many rows it changed.
    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(connection) => {
                let query = query!(Sqlite, sql, values);
                query.execute(&mut **connection).await?.rows_affected()
            }
            Self::Postgres(connection) => {
                let query = query!(Postgres, sql, values);
                query.execute(&mut **connection).await?.rows_affected()
            }
        })
    }

    /// Runs a statement that answers rows.
    pub(crate) async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(connection) => {
                let rows = query!(Sqlite, sql, values).fetch_all(&mut **connection);
                rows.await?.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(connection) => {
                let rows = query!(Postgres, sql, values).fetch_all(&mut **connection);
                rows.await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs statements without parameters, such as those of a file.
    pub(crate) async fn script(&mut self, sql: String) -> Result<(), sqlx::Error> {
        // Only the migrations and `BEGIN` and the like come here: nothing in them was given by anybody.
        let script = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        match self {
            Self::Sqlite(connection) => script.execute(&mut **connection).await.map(drop),
            Self::Postgres(connection) => script.execute(&mut **connection).await.map(drop),
        }
    }

    /// Whether it is PostgreSQL's.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Closes it at once without any goodbye, so that what it was about is undone by the database.
    pub(crate) fn abandon(self) {
        match self {
            Self::Sqlite(connection) => drop(connection.detach()),
            Self::Postgres(connection) => drop(connection.detach()),
        }
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.ping().await,
            Self::Postgres(connection) => connection.ping().await,
        }
    }
}

/// A row of an answer.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    fn get<T>(&self, column: usize) -> Result<T, StoreError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
        T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
        usize: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(explain)
    }

    /// The text in `column` (from 0), unescaped.
    pub(crate) fn text(&self, column: usize) -> Result<String, StoreError> {
        let held: String = self.get(column)?;
        let text = unescaped(&held).ok_or_else(|| nonsense("a text", &held))?;
        Ok(text.into_owned())
    }

    /// The text in `column`, as the database holds it: JSON, which needs no escape.
    pub(crate) fn json(&self, column: usize) -> Result<String, StoreError> {
        self.get(column)
    }

    /// The text in `column` as the database holds it, if there is one.
    pub(crate) fn json_if_any(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    /// The number in `column`.
    pub(crate) fn whole(&self, column: usize) -> Result<i64, StoreError> {
        self.get(column)
    }

    /// The number in `column`, if there is one.
    pub(crate) fn whole_if_any(&self, column: usize) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    /// The count or version in `column`.
    pub(crate) fn count(&self, column: usize) -> Result<u64, StoreError> {
        let held = self.whole(column)?;
        u64::try_from(held).map_err(|_| nonsense("a count", &held))
    }
}
