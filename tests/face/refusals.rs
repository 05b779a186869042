//! What the compiler refuses in a derived workflow, `build()` refuses in a built one: the same cases.

use tasker::BuildError;
use tasker::prelude::*;

use crate::{Fetch, Page, Window};

#[step]
async fn price_cart(window: Context<Window>) -> StepResult<u64> {
    Ok(window.rows)
}
#[step]
async fn charge_card(cents: Output<PriceCart>) -> StepResult<u64> {
    Ok(*cents)
}
#[step]
async fn pay_back(page: Context<Page>) -> StepResult<u64> {
    Ok(page.rows)
}
#[step]
async fn again(again: Output<Again>) -> StepResult<u64> {
    Ok(*again)
}
#[step]
async fn a(c: Output<C>) -> StepResult<u64> {
    Ok(*c)
}
#[step]
async fn b(a: Output<A>) -> StepResult<u64> {
    Ok(*a)
}
#[step]
async fn c(b: Output<B>) -> StepResult<u64> {
    Ok(*b)
}
#[step]
async fn count(page: Output<Fetch>) -> StepResult<u64> {
    Ok(page.rows)
}

fn builder() -> tasker::DefinitionBuilder {
    Definition::builder("tests", "refused", "1.0.0").context::<Window>()
}

/// The mistake as a file of `tests/ui/fail`, as a builder, and as its refusal; both texts name what is listed.
fn refused(
    mistake: &str,
    builder: tasker::DefinitionBuilder,
    refusal: fn(&BuildError) -> bool,
    compiler: &[&str],
    build: &[&str],
) {
    let text = std::fs::read_to_string(format!("tests/ui/fail/{mistake}.stderr")).unwrap();
    let first = text.lines().next().unwrap();
    compiler.iter().for_each(|name| assert!(first.contains(name), "{mistake}: no {name} in {first}"));
    let errors = builder.build().unwrap_err().errors;
    let [error] = &errors[..] else { panic!("{mistake}: one mistake, one error: {errors:?}") };
    assert!(refusal(error), "{mistake}: {error:?}");
    let said = error.to_string();
    build.iter().for_each(|name| assert!(said.contains(name), "{mistake}: no {name} in {said}"));
}

#[test]
fn of_the_compiler_and_of_build_are_the_same() {
    refused(
        "missing_parent",
        builder().step("charge_card", ChargeCard),
        |error| matches!(error, BuildError::MissingInput { .. }),
        &["ChargeCard", "PriceCart"],
        &["charge_card", "price_cart"],
    );
    refused(
        "cycle",
        builder().step("a", A).step("b", B).step("c", C),
        |error| matches!(error, BuildError::Cycle { .. }),
        &["`A` → `B` → `C` → `A`"],
        &["→"],
    );
    refused(
        "waits_for_itself",
        builder().step("again", Again),
        |error| matches!(error, BuildError::SelfDependency(_)),
        &["`Again` waits for itself"],
        &["`again` waits for itself"],
    );
    refused(
        "doubled_step",
        builder().step("price_cart", PriceCart).step("price_cart", PriceCart),
        |error| matches!(error, BuildError::DuplicateStep(_)),
        &["two steps are named `price_cart`"],
        &["two steps are named `price_cart`"],
    );
    refused(
        "other_context",
        builder().step("price_cart", PriceCart).step("pay_back", PayBack),
        |error| matches!(error, BuildError::OtherContext { .. }),
        &["Refund", "Order"],
        &["pay_back", "Page", "Window"],
    );
    refused(
        "ambiguous_parent",
        builder()
            .step("fetch_1", Fetch { shard: 1 })
            .step("fetch_2", Fetch { shard: 2 })
            .step("count", Count),
        |error| matches!(error, BuildError::AmbiguousInput { .. }),
        &["Count", "fetch_1", "fetch_2", "after", "Outputs<Fetch>"],
        &["count", "fetch_1", "fetch_2", "after", "Outputs<"],
    );
    refused(
        "skippable_parent",
        builder().step("price_cart", PriceCart).skippable().step("charge_card", ChargeCard),
        |error| matches!(error, BuildError::SkippableParent { .. }),
        &["ChargeCard", "PriceCart", "Option<Output<"],
        &["charge_card", "price_cart", "Option<Output<"],
    );
}
