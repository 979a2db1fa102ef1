//! A processor within this process, and what a log holds.

use std::sync::Arc;

use foretide_features::FoldRules;
use foretide_ports::{Artefacts, Log, ProfileTable, Record, TopicName};
use foretide_processor::{
    Processor, ProcessorConfig, ProcessorError, ProcessorMetrics, ProcessorParts, SourceCounts,
};
use foretide_runtime::{CancellationToken, Readiness, SystemClock, prometheus::Registry};
use tokio::task::JoinHandle;

use crate::{measure::cpu_seconds, product::PARTITIONS};

/// What a processor over `log` works with. It keeps no checkpoints.
pub fn parts(log: Arc<dyn Log>, readiness: &Readiness) -> anyhow::Result<ProcessorParts> {
    Ok(ProcessorParts {
        log,
        table: ProfileTable::new(PARTITIONS),
        counts: SourceCounts::new(PARTITIONS),
        rules: FoldRules::default(),
        artefacts: Artefacts::default(),
        metrics: ProcessorMetrics::register(&Registry::new())?,
        clock: Arc::new(SystemClock),
        readiness: readiness.component("processor"),
        member: "bench".to_owned(),
        checkpoints: None,
    })
}

/// A processor at work.
pub struct Running {
    /// The profiles it holds.
    pub table: Arc<ProfileTable>,
    /// Whether it has restored them.
    pub readiness: Readiness,
    stop: CancellationToken,
    task: JoinHandle<Result<(), ProcessorError>>,
}

impl Running {
    /// Starts one over `log` with the usual settings.
    pub fn start(log: Arc<dyn Log>) -> anyhow::Result<Self> {
        Self::with(log, ProcessorConfig::default())
    }

    /// Starts one over `log`.
    pub fn with(log: Arc<dyn Log>, config: ProcessorConfig) -> anyhow::Result<Self> {
        let readiness = Readiness::new();
        let parts = parts(log, &readiness)?;
        let table = Arc::clone(&parts.table);
        let stop = CancellationToken::new();
        let soft = stop.clone();
        let processor = Processor::new(parts, config);
        let task = tokio::spawn(processor.run(soft, CancellationToken::new()));
        Ok(Self {
            table,
            readiness,
            stop,
            task,
        })
    }

    /// An error if it has ended.
    pub async fn check(&mut self) -> anyhow::Result<()> {
        if self.task.is_finished() {
            (&mut self.task).await??;
            anyhow::bail!("the processor has ended");
        }
        Ok(())
    }

    /// Asks it to end, and waits.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        Ok(self.task.await??)
    }
}

/// All records of `topic`, by partition.
pub async fn records(log: &dyn Log, topic: TopicName) -> anyhow::Result<Vec<(u32, Record)>> {
    let ends = log.end_offsets(topic).await?;
    let mut left: u64 = ends.iter().sum();
    let begins: Vec<_> = (0..).take(ends.len()).map(|p| (p, 0)).collect();
    let mut reader = log.reader(topic, &begins).await?;
    let mut reached = vec![0; ends.len()];
    let mut records = Vec::new();
    while left > 0 {
        let wait = std::time::Duration::from_secs(5);
        let chunk = reader.next(wait).await?;
        let chunk = chunk.ok_or_else(|| anyhow::anyhow!("{topic} ends too early"))?;
        let partition = chunk.from.partition;
        let passed = chunk.next_offset - reached[partition as usize];
        reached[partition as usize] = chunk.next_offset;
        left = left.saturating_sub(passed);
        records.extend(chunk.records.into_iter().map(|record| (partition, record)));
    }
    Ok(records)
}

/// CPU time that `work` takes of this process, all its threads, in seconds; and what comes of it.
pub fn cpu_of<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(f64, T)> {
    let before = cpu_seconds(std::process::id())?;
    let done = work()?;
    Ok((cpu_seconds(std::process::id())? - before, done))
}
