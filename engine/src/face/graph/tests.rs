use super::text::ROOM;
use super::*;

const A: HandlerId = HandlerId::new("shop", "A", 1, 1, false);
const B: HandlerId = HandlerId::new("shop", "B", 2, 1, false);

const fn node(name: &'static str, handler: HandlerId, takes: &'static Tree) -> Node {
    Node { name, name_hash: hash(name, 0), says: name, handler, takes, after: &[], skippable: false }
}

/// What is said of the last step.
fn said<const N: usize>(steps: [Node; N]) -> Option<String> {
    let graph = Graph::of(steps);
    for place in 0..N - 1 {
        assert!(graph.check_step(place, "Checkout").is_none());
    }
    graph.check_step(N - 1, "Checkout").map(|text| text.as_str().to_owned())
}

fn cycle<const N: usize>(steps: [Node; N]) -> Option<(usize, String)> {
    let problem = Graph::of(steps).find_cycle()?;
    Some((problem.place, problem.text.as_str().to_owned()))
}

#[test]
fn a_missing_parent_is_named_with_its_waiter() {
    let text = "`b` waits for `A`, which is not a step of `Checkout`; add it: `steps(A, …)`";
    assert_eq!(said([node("b", B, &Tree::One(A))]).unwrap(), text);
    let text = "`a` waits for itself: it takes the output of `A`";
    assert_eq!(said([node("a", A, &Tree::One(A))]).unwrap(), text);
}

#[test]
fn a_doubled_name_is_reported_at_the_second() {
    let text = "two steps are named `a`; give one another name: `other_name = A`";
    assert_eq!(said([node("a", A, &Tree::Nothing), node("a", A, &Tree::Nothing)]).unwrap(), text);
}

#[test]
fn two_producers_are_ambiguous_unless_one_is_named() {
    let twice = |after| {
        let (first, second) = (node("a1", A, &Tree::Nothing), node("a2", A, &Tree::Nothing));
        [first, second, Node { after, ..node("b", B, &Tree::One(A)) }]
    };
    let text = "`b` takes the output of `A`, which runs `a1` and `a2`; say which: `b after(a1)`, or take `Outputs<A>`";
    assert_eq!(said(twice(&[])).unwrap(), text);
    assert_eq!(said(twice(&[1])), None);
    assert!(said(twice(&[0, 1])).is_some());
}

#[test]
fn a_parent_that_may_be_skipped_has_to_be_taken_as_an_option() {
    let steps = |takes| [Node { skippable: true, ..node("a", A, &Tree::Nothing) }, node("b", B, takes)];
    let text = "`b` takes the output of `a`, which may be skipped; take `Option<Output<A>>` instead";
    assert_eq!(said(steps(&Tree::One(A))).unwrap(), text);
    assert_eq!(said(steps(&Tree::Maybe(A))), None);
}

#[test]
fn a_cycle_is_told_in_the_direction_of_the_work() {
    for takes in [&Tree::One(B), &Tree::Maybe(B), &Tree::All(B)] {
        let (place, text) = cycle([node("a", A, takes), node("b", B, &Tree::One(A))]).expect("a cycle");
        assert_eq!((place, text.as_str()), (0, "steps wait for each other: `a` → `b` → `a`"));
    }
    let itself = [node("a", A, &Tree::Nothing), Node { after: &[1], ..node("b", B, &Tree::One(A)) }];
    assert_eq!(cycle(itself).expect("a cycle").0, 1);
    assert_eq!(cycle([node("a", A, &Tree::Nothing), node("b", B, &Tree::All(A))]), None);
}

const LONG: usize = 300;
const PLACES: &[usize; LONG] = &{
    let mut places = [0; LONG];
    let mut place = 0;
    while place < LONG {
        places[place] = place;
        place += 1;
    }
    places
};
/// Each waits for the next: the deepest walk there is, while compiling.
const CHAIN: Option<Problem> = {
    let mut steps = [node("a", A, &Tree::Nothing); LONG];
    let mut place = 0;
    while place + 1 < LONG {
        steps[place].after = PLACES.split_at(place + 1).1.split_at(1).0;
        place += 1;
    }
    Graph::of(steps).find_cycle()
};

#[test]
fn a_long_chain_is_walked_within_the_frames_of_the_compiler() {
    assert!(CHAIN.is_none());
}

#[test]
fn no_step_at_all_is_no_problem() {
    assert_eq!(cycle([]), None);
}

#[test]
fn a_text_is_cut_between_characters() {
    let mut text = Text::new().add("x");
    for _ in 0..200 {
        text = text.add("→");
    }
    assert_eq!(text.as_str().chars().count(), 1 + (ROOM - 1) / 3);
}
