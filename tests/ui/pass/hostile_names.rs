//! What the macros write names everything absolutely: nothing that the user calls by a common name gets in the way.
#![allow(dead_code, non_camel_case_types)]

use tasker::prelude::{Context, StepContext, StepHandler, step};

mod core {}
mod std {}
mod serde {}
mod inventory {}
struct Result;
struct Option;
struct String;
struct Value;
struct Some;
struct Ok;
struct Err;
trait Serialize {}
trait Deserialize {}
trait Debug {}
trait Clone {}
trait Copy {}
trait Into {}
type u32 = ();
type str = ();
type usize = ();

#[step(retry_limit = 5, timeout_seconds = 1)]
async fn price(order: Context<bool>) -> ::tasker::StepResult<bool> {
    ::core::result::Result::Ok(*order)
}

#[derive(StepHandler)]
#[step(depends_on(Price), optional(Price2), all(Price2), state(Pool), spawns(Price2))]
struct Ship;
struct Pool;

#[step(type = Price2, name = "second")]
async fn argument_0(argument_0: &tasker::Output<Price>, step: Context<bool>) -> ::tasker::StepResult<bool> {
    ::core::result::Result::Ok(**argument_0 && *step)
}

impl ::tasker::Step for Ship {
    type Context = bool;
    type Output = bool;
    async fn process(&self, step: &StepContext<Self>) -> ::tasker::StepResult<bool> {
        step.output_of::<Price>()
    }
}

#[derive(::core::fmt::Debug, ::tasker::Fail)]
#[fail(class = "Nothing")]
enum Failure {
    #[fail(permanent, code = "A")]
    A(bool),
    #[fail(retry_after_seconds = 3)]
    B { wait: bool },
    #[fail(retry_after_seconds = wait)]
    C { wait: u8 },
}
impl ::core::fmt::Display for Failure {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("nothing")
    }
}
impl ::core::error::Error for Failure {}

#[derive(::tasker::Workflow)]
#[workflow(namespace = "n", name = "w", version = "1.2.3", description = "d", one_step_at_a_time, context = bool,
    steps(Price, Price2, Ship))]
struct Checkout;

fn main() {
    let definition = <Checkout as ::tasker::Workflow>::definition();
    ::core::assert!(definition.is_ok());
}
