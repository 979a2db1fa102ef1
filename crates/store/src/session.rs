//! One use of a connection, bounded in time.

use std::time::Duration;

use foretide_ports::StoreError;
use tokio::time::timeout;

use crate::{
    connection::{Connection, Pool, Row, Value},
    errors::explain,
};

/// How long a statement may take before the database counts as away. Longer than the database's own limits, so that its
/// answer comes first where it still gives one.
pub(crate) const STATEMENT_DEADLINE: Duration = Duration::from_secs(5);

/// A connection in use. Unless it is [finished](Self::finish), it is closed and what was begun is undone: nobody gets a
/// connection that is in the middle of something.
pub(crate) struct Session {
    /// Taken away only at the end.
    connection: Option<Connection>,
    deadline: Duration,
    in_transaction: bool,
}

impl Session {
    /// For statements that change nothing.
    pub(crate) async fn reading(pool: &Pool, place: &str) -> Result<Self, StoreError> {
        Self::open(pool, place, STATEMENT_DEADLINE).await
    }

    /// For a change: begins a transaction that takes its turn among all that change something.
    pub(crate) async fn changing(
        pool: &Pool,
        place: &str,
        deadline: Duration,
    ) -> Result<Self, StoreError> {
        let mut session = Self::open(pool, place, deadline).await?;
        // SQLite's plain BEGIN would take the lock to write only with the first write, when it may be too late.
        // PostgreSQL must see what was committed while it waited for its turn, whatever the database's own default is.
        let begin = if session.is_postgres() {
            "BEGIN ISOLATION LEVEL READ COMMITTED"
        } else {
            "BEGIN IMMEDIATE"
        };
        session.script(begin).await?;
        session.in_transaction = true;
        Ok(session)
    }

    async fn open(pool: &Pool, place: &str, deadline: Duration) -> Result<Self, StoreError> {
        let connection = pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => StoreError::Away(format!(
                "no connection to {place} could be had in time; is it running, and does --database name the right place?"
            )),
            other => explain(other),
        })?;
        Ok(Self {
            connection: Some(connection),
            deadline,
            in_transaction: false,
        })
    }

    /// Whether it talks to PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(Connection::is_postgres)
    }

    /// Runs a statement that answers rows.
    pub(crate) async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let deadline = self.deadline;
        bounded(deadline, self.connection()?.rows(sql, values)).await
    }

    /// Runs a statement that answers exactly one row.
    pub(crate) async fn row(&mut self, sql: &'static str) -> Result<Row, StoreError> {
        let row = self.rows(sql, &[]).await?.pop();
        row.ok_or_else(|| StoreError::Damaged(format!("there is no row for `{sql}`")))
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<u64, StoreError> {
        let deadline = self.deadline;
        bounded(deadline, self.connection()?.execute(sql, values)).await
    }

    /// Runs statements without parameters.
    pub(crate) async fn script(&mut self, sql: impl Into<String>) -> Result<(), StoreError> {
        let deadline = self.deadline;
        bounded(deadline, self.connection()?.script(sql.into())).await
    }

    /// Waits for an answer.
    pub(crate) async fn ping(&mut self) -> Result<(), StoreError> {
        let deadline = self.deadline;
        bounded(deadline, self.connection()?.ping()).await
    }

    /// Commits what was done, or undoes it after an error, and gives the connection back.
    pub(crate) async fn finish<T>(
        mut self,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.in_transaction {
            let end = if outcome.is_ok() {
                "COMMIT"
            } else {
                "ROLLBACK"
            };
            let ended = self.script(end).await;
            if outcome.is_ok() {
                ended?;
            } else if ended.is_err() {
                return outcome;
            }
        }
        if matches!(outcome, Ok(_) | Err(StoreError::Conflict { .. })) {
            // Dropped in order, it goes back to the pool.
            drop(self.connection.take());
        }
        outcome
    }

    /// Undoes what was done, because it changed nothing, and gives the connection back.
    pub(crate) async fn undo<T>(mut self, answer: T) -> Result<T, StoreError> {
        self.script("ROLLBACK").await?;
        self.in_transaction = false;
        self.finish(Ok(answer)).await
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let gone = || StoreError::Away("the connection is closed".to_owned());
        self.connection.as_mut().ok_or_else(gone)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.abandon();
        }
    }
}

async fn bounded<T>(
    deadline: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match timeout(deadline, answer).await {
        Ok(answer) => answer.map_err(explain),
        Err(_) => Err(StoreError::Away(format!(
            "no answer within {} s",
            deadline.as_secs()
        ))),
    }
}
