use super::*;
use crate::request::Function;

/// A mutant of the first `what` in `source`, which is on one line.
fn mutant(number: u32, source: &str, genre: &str, what: &str, replacement: &str) -> Mutant {
    let start = source.find(what).unwrap();
    let lines = |start, end| Lines {
        start: Place { line: 1, column: start + 1 },
        end: Place { line: 1, column: end + 1 },
    };
    Mutant {
        number,
        file: "src/lib.rs".to_owned(),
        genre: genre.to_owned(),
        replacement: replacement.to_owned(),
        span: lines(start, start + what.len()),
        function: Some(Function { return_type: String::new(), span: lines(0, source.len()) }),
    }
}

fn rewritten(source: &str, mutants: &[Mutant]) -> Rewritten {
    rewrite(source, &mutants.iter().collect::<Vec<_>>()).unwrap()
}

#[test]
fn an_operator_is_replaced_in_the_text_of_its_whole_chain() {
    let source = "fn f() -> bool { a && b || !c }";
    let mutants = [
        mutant(7, source, "BinaryOperator", "&&", "||"),
        mutant(8, source, "UnaryOperator", "!", ""),
    ];
    let rewritten = rewritten(source, &mutants);
    assert_eq!(
        rewritten.text,
        "fn f() -> bool { (if crate::mutant::on(7) { a || b || !c\n} else { a && b || \
         (if crate::mutant::on(8) { c\n} else { !c\n})\n}) }"
    );
    let [of_chain, of_operand] = rewritten.regions.as_slice() else { panic!("two mutants") };
    assert_eq!((of_chain.number, of_operand.number), (7, 8));
    assert_eq!(
        rewritten.text.get(of_operand.start..of_operand.end),
        Some("if crate::mutant::on(8) { c\n} else ")
    );
    assert!(rewritten.inexpressible.is_empty());
}

#[test]
fn a_body_is_left_before_it_begins() {
    let source = "fn f() -> u8 { 5 }";
    let rewritten = rewritten(source, &[mutant(1, source, "FnValue", "5", "0")]);
    assert_eq!(rewritten.text, "fn f() -> u8 { if crate::mutant::on(1) { return 0; } 5 }");
}

#[test]
fn an_arm_is_deleted_by_a_guard() {
    let source = "fn f() { match a { 1 => b, 2 if c => d, _ => e } }";
    let mutants = [
        mutant(1, source, "MatchArm", "1 => b", ""),
        mutant(2, source, "MatchArm", "2 if c => d", ""),
        mutant(3, source, "MatchArmGuard", "c => d", "true"),
    ];
    let text = rewritten(source, &mutants).text;
    assert!(text.contains("1 if !crate::mutant::on(1) => b"), "{text}");
    assert!(
        text.contains(
            "2 if !crate::mutant::on(2) && ((if crate::mutant::on(3) { true\n} else { c\n})) => d"
        ),
        "{text}"
    );
}

#[test]
fn constants_and_chains_with_let_are_told_as_not_expressible() {
    let source = "fn f() { const A: u8 = 1 + 2; if a && let Some(b) = c { d } }";
    let mutants = [
        mutant(1, source, "BinaryOperator", "+", "-"),
        mutant(2, source, "BinaryOperator", "&&", "||"),
    ];
    let rewritten = rewritten(source, &mutants);
    assert_eq!(rewritten.text, source);
    assert_eq!(
        rewritten.inexpressible,
        [
            (1, "the compiler computes it".to_owned()),
            (2, "`&&` beside `let`: does not compile".to_owned())
        ]
    );
}
