//! Offsets that the broker does not have.

use foretide_ports::{GroupEvent, GroupMember, Log, LogError, TopicName};
use foretide_tests::broker;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use crate::common::{A_MOMENT, assigned, connect, in_time, record, spec, unique};

/// Deletes the records of partition 0 before `offset`, as retention does.
async fn delete_before(topic: TopicName, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", broker::shared())
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset))
        .unwrap();
    let deleted = admin.delete_records(&list, &AdminOptions::new()).await;
    for element in deleted.unwrap().elements() {
        element.error().unwrap();
    }
}

/// The offsets of the first records that come.
async fn first_offsets(member: &mut dyn GroupMember) -> Vec<u64> {
    in_time(async {
        loop {
            if let GroupEvent::Records(chunk) = member.next(A_MOMENT).await.unwrap()
                && !chunk.records.is_empty()
            {
                return chunk.records.iter().map(|record| record.offset).collect();
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_records_were_deleted_goes_on_at_the_oldest() {
    let log = connect(&broker::shared(), "a");
    let spec = spec(1);
    log.declare(&[spec]).await.unwrap();
    let records = (0..5).map(|n| record(spec.name, 0, &n.to_string()));
    log.append(records.collect()).await.unwrap();
    delete_before(spec.name, 3).await;
    let mut member = log.join(&unique(), spec.name, "m").await.unwrap();
    assigned(member.as_mut(), 1).await;
    assert_eq!(first_offsets(member.as_mut()).await, [3, 4]);
    member.commit(Vec::new(), &[(0, 5)]).await.unwrap();
    member.leave().await.unwrap();
}

/// Starting again at the beginning would fold everything twice; going on would take new records for consumed ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_stands_beyond_the_end_ends_and_says_why() {
    let log = connect(&broker::shared(), "a");
    let spec = spec(1);
    log.declare(&[spec]).await.unwrap();
    log.append(vec![record(spec.name, 0, "1")]).await.unwrap();
    let mut member = log.join(&unique(), spec.name, "m").await.unwrap();
    assigned(member.as_mut(), 50).await;
    let error = in_time(async {
        loop {
            match member.next(A_MOMENT).await {
                Ok(event) => assert!(matches!(event, GroupEvent::Idle), "{event:?}"),
                Err(error) => return error,
            }
        }
    })
    .await;
    assert!(
        matches!(&error, LogError::Damaged(why) if why.contains("50")),
        "{error:?}"
    );
}
