//! The contract of [`Queue`], sentence by sentence.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::json;
use tasker_engine::{
    Clock as _, Enqueue as _, Interest, OutcomeKind, Queue, StepCommand, TaskCommand, TaskId, Wake,
};
use tokio::task::JoinSet;

use super::super::fixture::{act_on_task, at, completed, ended};
use super::scene::{QueueHarness, QueueScene, only_when_woken, poll_once, receive};

/// "A wake that was enqueued is received by somebody."
pub async fn enqueued_wake_is_received<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(3).await;
    scene.tell(&wakes).await;
    let received = scene.receive_all(&wakes).await;
    assert!(received.iter().all(|wake| wakes.iter().any(|told| told.task == wake.task)), "{received:?}");
}

/// A receiver can tell by the wake whether it is due, and what to acknowledge.
pub async fn received_wake_is_the_one_that_was_enqueued<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(1).await;
    scene.tell(&wakes).await;
    assert_eq!(scene.receive_all(&wakes).await[0], wakes[0]);
}

/// "Who waits in `receive` is woken by whoever enqueues a wake that is due, in the same process …"
pub async fn waiting_receiver_is_woken<H: QueueHarness>(scene: QueueScene<H>) {
    let mut waiting = Box::pin(only_when_woken(receive(&*scene.queue, 1)));
    scene.wait_for_a_while(waiting.as_mut()).await;
    let wakes = scene.wakes(1).await;
    scene.tell(&wakes).await;
    assert_eq!(waiting.await[0].task, wakes[0].task);
}

/// "… or, where the queue reaches so far, in another."
pub async fn waiting_receiver_is_woken_from_elsewhere<H: QueueHarness>(scene: QueueScene<H>) {
    let mut waiting = Box::pin(only_when_woken(receive(&*scene.elsewhere, 1)));
    scene.wait_for_a_while(waiting.as_mut()).await;
    let wakes = scene.wakes(1).await;
    scene.tell(&wakes).await;
    assert_eq!(waiting.await[0].task, wakes[0].task);
}

/// What is enqueued here while nobody waits is received there.
pub async fn wake_is_received_elsewhere<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(1).await;
    scene.tell(&wakes).await;
    assert_eq!(receive(&*scene.elsewhere, 1).await[0].task, wakes[0].task);
}

/// "Waits for hints": nothing is told where there is nothing to tell.
pub async fn receiver_of_an_empty_queue_waits<H: QueueHarness>(scene: QueueScene<H>) {
    let mut waiting = Box::pin(only_when_woken(receive(&*scene.queue, 1)));
    scene.wait_for_a_while(waiting.as_mut()).await;
}

/// "Without waiting for more": a full worker asks so, and goes on at once.
pub async fn asking_an_empty_queue_without_waiting_is_answered<H: QueueHarness>(scene: QueueScene<H>) {
    let asked = scene.queue.try_receive(Interest::of(5));
    let delivery =
        tokio::time::timeout(super::PATIENCE, asked).await.expect("it waits").expect("try_receive");
    assert_eq!(delivery.wakes, []);
}

/// "What `receive` would answer", and no more than the receiver can take.
pub async fn what_is_there_is_received_without_waiting<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(5).await;
    scene.tell(&wakes).await;
    let mut missing: BTreeSet<TaskId> = wakes.iter().map(|wake| wake.task).collect();
    let asking = async {
        while !missing.is_empty() {
            let some = scene.queue.try_receive(Interest::of(2)).await.expect("try_receive").wakes;
            assert!(some.len() <= 2, "{some:?}");
            missing.retain(|task| some.iter().all(|wake| wake.task != *task));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, asking).await.expect("they are given");
}

/// "At most as many as the receiver can take", and the rest later.
pub async fn no_more_is_received_than_the_receiver_can_take<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(7).await;
    scene.tell(&wakes).await;
    let mut seen = BTreeSet::new();
    while seen.len() < wakes.len() {
        let some = scene.receive(3).await;
        assert!(some.len() <= 3, "{some:?}");
        seen.extend(some.iter().map(|wake| wake.task));
    }
}

/// "At least one is meant where it says 0."
pub async fn receiver_that_can_take_nothing_is_given_one<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(2).await;
    scene.tell(&wakes).await;
    assert_eq!(scene.receive(0).await.len(), 1);
}

/// "Dropping the future loses no hint": before it was woken.
pub async fn dropped_receiver_takes_no_hint_with_it<H: QueueHarness>(scene: QueueScene<H>) {
    for _ in 0..3 {
        scene.wait_for_a_while(Box::pin(only_when_woken(receive(&*scene.queue, 1))).as_mut()).await;
    }
    let wakes = scene.wakes(1).await;
    scene.tell(&wakes).await;
    scene.receive_all(&wakes).await;
}

/// "Dropping the future loses no hint": after it was woken, before it has looked. "What it held is received again", at
/// the latest a minute later.
pub async fn receiver_dropped_after_it_was_woken_takes_no_hint_with_it<H: QueueHarness>(
    scene: QueueScene<H>,
) {
    let mut waiting = Box::pin(only_when_woken(receive(&*scene.queue, 1)));
    scene.wait_for_a_while(waiting.as_mut()).await;
    let wakes = scene.wakes(1).await;
    scene.tell(&wakes).await;
    drop(waiting);
    scene.go_to(at(60));
    scene.receive_all(&wakes).await;
}

/// "At the latest when it is due."
pub async fn wake_due_later_is_received_when_it_is_due<H: QueueHarness>(scene: QueueScene<H>) {
    let task = scene.storage.start("x").await;
    let claim = scene.storage.claim(&task, "x").await;
    scene.storage.record(ended(&task, &claim, OutcomeKind::Snooze { until: at(100) })).await;
    let wake = scene.wake_of(&task).await;
    assert_eq!(wake.due, at(100));
    scene.tell(&[wake]).await;
    let mut waiting = Box::pin(only_when_woken(receive(&*scene.queue, 1)));
    let early = poll_once(waiting.as_mut()).await;
    scene.go_to(at(100));
    let received = match early {
        Poll::Ready(early) => early,
        Poll::Pending => waiting.await,
    };
    assert_eq!(received, [wake]);
}

/// "May be called again with the same ones."
pub async fn enqueuing_again_is_no_fault<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(2).await;
    for _ in 0..3 {
        scene.tell(&wakes).await;
    }
    scene.receive_all(&wakes).await;
    scene.tell(&wakes).await;
}

/// Nothing is as good as no call.
pub async fn enqueuing_nothing_is_no_fault<H: QueueHarness>(scene: QueueScene<H>) {
    scene.tell(&[]).await;
    scene.queue.ack(&[]).await.expect("ack");
    let wakes = scene.wakes(1).await;
    scene.tell(&wakes).await;
    scene.receive_all(&wakes).await;
}

/// A hint about a task that is not there is no fault, and stops no other.
pub async fn hint_of_an_unknown_task_is_no_fault<H: QueueHarness>(scene: QueueScene<H>) {
    let unknown = Wake { due: at(0), task: TaskId(i64::MAX), generation: 0 };
    scene.tell(&[unknown]).await;
    let wakes = scene.wakes(1).await;
    scene.tell(&wakes).await;
    scene.receive_all(&wakes).await;
    scene.queue.ack(&[unknown]).await.expect("ack");
}

/// "Forgets wakes whose tasks were looked at since they were received."
pub async fn acknowledged_wake_is_not_received_again<H: QueueHarness>(scene: QueueScene<H>) {
    let first = scene.wakes(1).await;
    scene.tell(&first).await;
    let received = scene.receive_all(&first).await;
    scene.move_on(first[0].task).await;
    scene.queue.ack(&received).await.expect("ack");
    scene.go_to(at(60));
    let second = scene.wakes(1).await;
    scene.tell(&second).await;
    let received = scene.receive_all(&second).await;
    assert!(received.iter().all(|wake| wake.task == second[0].task), "{received:?}");
}

/// "Gives wakes back": whatever the queue makes of it, what is told again is received again.
pub async fn released_wake_is_received_again<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(2).await;
    scene.tell(&wakes).await;
    let received = scene.receive_all(&wakes).await;
    scene.queue.release(&received).await.expect("release");
    scene.tell(&wakes).await;
    scene.go_to(at(60));
    scene.receive_all(&wakes).await;
}

/// "What is forgotten is forgotten in the generation that was received."
pub async fn newer_wake_outlives_the_acknowledgement_of_an_older_one<H: QueueHarness>(scene: QueueScene<H>) {
    let task = scene.storage.start("x, y").await;
    let old = scene.wake_of(&task).await;
    scene.tell(&[old]).await;
    let received = scene.receive_all(&[old]).await;
    let claim = scene.storage.claim(&task, "x").await;
    scene.storage.record(completed(&task, &claim, json!({}))).await;
    scene.storage.act_on(&task, "y", StepCommand::Cancel).await;
    let new = scene.wake_of(&task).await;
    assert!(new.generation > old.generation);
    scene.tell(&[new]).await;
    scene.queue.ack(&received).await.expect("ack");
    assert!(scene.receive_all(&[new]).await.contains(&new));
}

/// Between any number of receivers, here and elsewhere, every wake is received.
pub async fn many_receivers_receive_every_wake_between_them<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(60).await;
    let expected: BTreeSet<TaskId> = wakes.iter().map(|wake| wake.task).collect();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut receivers = JoinSet::new();
    for place in 0..6 {
        let queue = if place % 2 == 0 { &scene.queue } else { &scene.elsewhere };
        let (queue, tell) = (Arc::clone(queue), tell.clone());
        receivers.spawn(async move {
            while let Ok(delivery) = queue.receive(Interest::of(5)).await {
                for wake in delivery.wakes {
                    // Whoever counts may have enough.
                    let _ = tell.send(wake.task);
                }
            }
        });
    }
    for some in wakes.chunks(7) {
        scene.tell(some).await;
    }
    let mut seen = BTreeSet::new();
    while seen.len() < expected.len() {
        let task = tokio::time::timeout(super::PATIENCE, told.recv()).await.expect("a hint comes");
        seen.extend(task);
    }
    assert_eq!(seen, expected);
    // Before the scene lets the time go, which would bring the same wakes again and again.
    receivers.shutdown().await;
}

/// Many who enqueue at once, while somebody receives.
pub async fn many_enqueue_at_once_and_nothing_is_lost<H: QueueHarness>(scene: QueueScene<H>) {
    let wakes = scene.wakes(60).await;
    let mut all = JoinSet::new();
    for some in wakes.chunks(10) {
        for queue in [&scene.queue, &scene.elsewhere] {
            let (queue, some) = (Arc::clone(queue), some.to_vec());
            all.spawn(async move {
                for wake in some {
                    queue.enqueue(&[wake]).await.expect("enqueue");
                }
            });
        }
    }
    scene.receive_all(&wakes).await;
    while let Some(done) = all.join_next().await {
        done.expect("enqueued");
    }
}

/// "Whether `receive` finds every wake that the storage keeps, also those that nobody enqueued."
pub async fn wakes_that_nobody_enqueued_are_found_where_the_queue_says_so<H: QueueHarness>(
    scene: QueueScene<H>,
) {
    let wakes = scene.wakes(3).await;
    if scene.queue.finds_stored_wakes() {
        scene.receive_all(&wakes).await;
        // What an operator's act wakes, and nobody tells of.
        let paused = scene.storage.start("x").await;
        scene.storage.act(&paused, TaskCommand::Pause).await;
        scene.storage.intervene(act_on_task(&paused, TaskCommand::Resume)).await;
        let wake = scene.wake_of(&paused).await;
        scene.go_to(at(3600));
        scene.receive_all(&[wake]).await;
    } else {
        scene.wait_for_a_while(Box::pin(only_when_woken(receive(&*scene.queue, 1))).as_mut()).await;
    }
}

/// "A guard that keeps a simulated clock still until they were looked at", from the moment of the enqueue on.
pub async fn time_stands_from_an_enqueue_until_its_receiver_has_looked<H: QueueHarness>(
    scene: QueueScene<H>,
) {
    if !H::KEEPS_TIME {
        return;
    }
    let wakes = scene.wakes(1).await;
    let (looked, look) = tokio::sync::oneshot::channel();
    let receiver = tokio::spawn({
        let (queue, clock, busy) = (Arc::clone(&scene.queue), scene.clock.clone(), scene.clock.busy());
        async move {
            let (delivery, busy) = busy.wait_for(queue.receive(Interest::of(1))).await;
            let delivery = delivery.expect("receive");
            looked.send((delivery.wakes.clone(), clock.now())).expect("the case waits");
            drop((delivery, busy));
        }
    });
    // Somebody else would make the time jump as soon as nobody is busy.
    let sleep = scene.clock.sleep_until(at(0) + Duration::from_secs(100_000));
    scene.tell(&wakes).await;
    drop(scene.busy);
    let (received, seen_at) =
        tokio::time::timeout(super::PATIENCE, look).await.expect("a hint comes").expect("it looks");
    assert_eq!((received[0].task, seen_at), (wakes[0].task, at(0)));
    drop(sleep);
    receiver.await.expect("the receiver ends");
}
