//! Ten kinds of tasks, and the steps that make them so.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

/// What becomes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Runs to its end.
    Completes,
    /// Its charge is declined for good.
    Fails,
    /// Its charge is to be tried again in an hour.
    Waits,
    /// Nobody looks at it.
    Fresh,
    /// An operator cancels it before it begins.
    Cancelled,
    /// An operator pauses it before it begins.
    Paused,
    /// It fails, and an operator declares it done.
    Resolved,
}

/// In turns, so that every tenth task is of one kind.
const TURNS: [Kind; 10] = [
    Kind::Completes,
    Kind::Completes,
    Kind::Completes,
    Kind::Completes,
    Kind::Fails,
    Kind::Waits,
    Kind::Fresh,
    Kind::Cancelled,
    Kind::Paused,
    Kind::Resolved,
];

impl Kind {
    pub(crate) fn of(number: u32) -> Self {
        TURNS[usize::try_from(number % 10).expect("below ten")]
    }

    /// Whether somebody is to look at it.
    pub(crate) const fn is_run(self) -> bool {
        matches!(self, Self::Completes | Self::Fails | Self::Waits | Self::Resolved)
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
}

#[step]
async fn reserve(order: Context<Order>) -> StepResult<u32> {
    Ok(order.number)
}

#[step]
async fn price(order: Context<Order>) -> StepResult<u32> {
    Ok(order.number % 100)
}

/// Where tasks part.
#[step]
async fn charge(order: Context<Order>) -> StepResult<u32> {
    match order.kind {
        Kind::Fails | Kind::Resolved => Err(StepError::permanent("the card was declined")),
        Kind::Waits => Err(StepError::retry_after(HOUR, "the gateway is closed")),
        _ => Ok(order.number),
    }
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

#[step]
async fn ship(order: Context<Order>) -> StepResult<u32> {
    Ok(order.number)
}

/// Three workflows, of two namespaces and two versions.
///
/// ```text
/// reserve ─┬─▶ charge ──▶ ship
/// price ───┘
/// ```
pub(crate) fn definitions() -> Result<Vec<Definition>, EngineError> {
    let workflow = |namespace, name, version| {
        let builder = Definition::builder(namespace, name, version).context::<Order>();
        let builder = builder.step("reserve", Reserve).step("price", Price);
        let builder = builder.step("charge", Charge).after(["reserve", "price"]);
        Ok::<_, EngineError>(builder.step("ship", Ship).after(["charge"]).build()?)
    };
    Ok(vec![
        workflow("shop", "checkout", "9.0.0")?,
        workflow("shop", "checkout", "10.0.0")?,
        workflow("default", "reorder", "1.0.0")?,
    ])
}
