//! Finds the code of each mutant and puts it behind its switch.
//!
//! What cargo-mutants replaces is text, so the mutant of `a && b && c` with its first `||` is `a || (b && c)`. Therefore the
//! unit that is written a second time is the largest chain of binary operators around the operator, as text.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Context as _;
use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Arm, BinOp, Block, Expr, ExprBinary, ExprStruct, ExprUnary, Signature};

use crate::edits::{Edits, Piece};
use crate::request::{Lines, Mutant, Place, Region};

pub(crate) struct Rewritten {
    pub(crate) text: String,
    pub(crate) regions: Vec<Region>,
    pub(crate) inexpressible: Vec<(u32, String)>,
    pub(crate) constant: Vec<u32>,
}

/// Puts `mutants`, all of the file that reads `source`, behind their switches.
pub(crate) fn rewrite(source: &str, mutants: &[&Mutant]) -> anyhow::Result<Rewritten> {
    let file = syn::parse_file(source).context("parse")?;
    let offsets = Offsets::of(source);
    let mut rewriter = Rewriter {
        source,
        left: BTreeMap::new(),
        bodies: BTreeMap::new(),
        edits: Edits::default(),
        inexpressible: Vec::new(),
        constant: Vec::new(),
    };
    for mutant in mutants {
        let span = offsets.range(&mutant.span).context("a span outside of the file")?;
        match &mutant.function {
            Some(function) if mutant.genre == "FnValue" => {
                let function =
                    offsets.range(&function.span).context("a span outside of the file")?;
                rewriter.bodies.entry(function.end).or_default().push(mutant);
            }
            _ => rewriter
                .left
                .entry((span.start, mutant.genre.clone()))
                .or_default()
                .push((span, mutant)),
        }
    }
    rewriter.visit_file(&file);
    let Rewriter { left, bodies, edits, constant, mut inexpressible, .. } = rewriter;
    let left = left.into_values().flatten().map(|(_, mutant)| mutant);
    for mutant in left.chain(bodies.into_values().flatten()) {
        inexpressible.push((mutant.number, "in code that is not run, or not found".to_owned()));
    }
    let (text, regions) = edits.apply(source).context("a span within a character")?;
    Ok(Rewritten { text, regions, inexpressible, constant })
}

/// Mutants, and the bytes that each replaces.
type Spanned<'a> = Vec<(Range<usize>, &'a Mutant)>;

struct Rewriter<'a> {
    source: &'a str,
    /// By where the span of the mutant starts, and its genre.
    left: BTreeMap<(usize, String), Spanned<'a>>,
    /// Of whole bodies, by where the function ends.
    bodies: BTreeMap<usize, Vec<&'a Mutant>>,
    edits: Edits,
    inexpressible: Vec<(u32, String)>,
    /// In functions that the compiler may run.
    constant: Vec<u32>,
}

impl<'a> Rewriter<'a> {
    fn take(&mut self, span: Span, genre: &str) -> Spanned<'a> {
        self.left.remove(&(span.byte_range().start, genre.to_owned())).unwrap_or_default()
    }

    fn text(&self, range: Range<usize>) -> &'a str {
        self.source.get(range).unwrap_or_default()
    }

    /// `whole` with the bytes of `part` replaced.
    fn replaced(&self, whole: &Range<usize>, part: &Range<usize>, replacement: &str) -> String {
        let (before, after) = (self.text(whole.start..part.start), self.text(part.end..whole.end));
        format!("{before}{replacement}{after}")
    }

    /// Goes around an expression: each alternative behind its switch, and the expression itself where none is on.
    fn choose(&mut self, whole: &Range<usize>, alternatives: Vec<(u32, String)>) {
        if alternatives.is_empty() {
            return;
        }
        let mut before = vec![Piece::wrapper("(")];
        for (number, text) in alternatives {
            before.push(Piece::of(
                number,
                format!("if crate::mutant::on({number}) {{ {text}\n}} else "),
            ));
        }
        before.push(Piece::wrapper("{ "));
        self.edits.around(whole.start, whole.end, before, "\n})");
    }

    fn body(&mut self, signature: &Signature, block: &Block) {
        let whole = block.span().byte_range();
        if signature.constness.is_some() {
            let within = self.left.iter().filter(|((start, _), _)| whole.contains(start));
            let mutants = within.flat_map(|(_, mutants)| mutants).map(|(_, mutant)| mutant);
            let bodies = self.bodies.get(&whole.end).into_iter().flatten();
            self.constant.extend(mutants.chain(bodies).map(|mutant| mutant.number));
        }
        let Some(mutants) = self.bodies.remove(&whole.end) else { return };
        let mut pieces = Vec::new();
        for mutant in mutants {
            let number = mutant.number;
            if mutant
                .function
                .as_ref()
                .is_some_and(|function| function.return_type.starts_with("-> impl"))
            {
                let reason = format!("{} gives a type that has no name", signature.ident);
                self.inexpressible.push((number, reason));
                continue;
            }
            let text =
                format!(" if crate::mutant::on({number}) {{ return {}; }}", mutant.replacement);
            pieces.push(Piece::of(number, text));
        }
        self.edits.at(whole.start + 1, pieces);
    }

    /// Collects the operators of a chain, and its operands.
    #[expect(clippy::wildcard_enum_match_arm, reason = "an expression is one of forty things")]
    fn chain<'e>(
        &mut self,
        expr: &'e Expr,
        operators: &mut Spanned<'a>,
        operands: &mut Vec<&'e Expr>,
    ) {
        match expr {
            Expr::Binary(binary) if !is_assignment(&binary.op) => {
                operators.extend(self.take(binary.op.span(), "BinaryOperator"));
                self.chain(&binary.left, operators, operands);
                self.chain(&binary.right, operators, operands);
            }
            operand => operands.push(operand),
        }
    }

    /// `a && let b = c && d`: there can't be anything around it, and another operator in it is no Rust.
    #[expect(clippy::wildcard_enum_match_arm, reason = "an expression is one of forty things")]
    fn let_chain(&mut self, expr: &Expr) {
        match expr {
            Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
                for (_, mutant) in self.take(binary.op.span(), "BinaryOperator") {
                    self.inexpressible
                        .push((mutant.number, "`&&` beside `let`: does not compile".to_owned()));
                }
                self.let_chain(&binary.left);
                self.let_chain(&binary.right);
            }
            operand => self.visit_expr(operand),
        }
    }

    fn constant(&mut self, span: Span) {
        let within = span.byte_range();
        let keys: Vec<_> =
            self.left.keys().filter(|(start, _)| within.contains(start)).cloned().collect();
        for (_, mutant) in keys.iter().filter_map(|key| self.left.remove(key)).flatten() {
            self.inexpressible.push((mutant.number, "the compiler computes it".to_owned()));
        }
    }
}

impl<'ast> Visit<'ast> for Rewriter<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constant(item.span());
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.constant(item.span());
    }

    fn visit_trait_item_const(&mut self, item: &'ast syn::TraitItemConst) {
        self.constant(item.span());
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.constant(item.span());
    }

    fn visit_type_array(&mut self, array: &'ast syn::TypeArray) {
        self.constant(array.span());
    }

    fn visit_expr_const(&mut self, block: &'ast syn::ExprConst) {
        self.constant(block.span());
    }

    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.constant(repeat.len.span());
        self.visit_expr(&repeat.expr);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.constant(variant.span());
    }

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        let whole = binary.span().byte_range();
        let (mut operators, mut operands) = (Vec::new(), Vec::new());
        if is_assignment(&binary.op) {
            operators.extend(self.take(binary.op.span(), "BinaryOperator"));
            operands.extend([&*binary.left, &*binary.right]);
        } else if has_let(binary) {
            self.let_chain(&Expr::Binary(binary.clone()));
            return;
        } else {
            operators.extend(self.take(binary.op.span(), "BinaryOperator"));
            self.chain(&binary.left, &mut operators, &mut operands);
            self.chain(&binary.right, &mut operators, &mut operands);
        }
        let alternatives = operators
            .into_iter()
            .map(|(span, mutant)| {
                (mutant.number, self.replaced(&whole, &span, &mutant.replacement))
            })
            .collect();
        self.choose(&whole, alternatives);
        for operand in operands {
            self.visit_expr(operand);
        }
    }

    fn visit_expr_unary(&mut self, unary: &'ast ExprUnary) {
        let whole = unary.span().byte_range();
        let operators = self.take(unary.op.span(), "UnaryOperator");
        let alternatives = operators
            .into_iter()
            .map(|(span, mutant)| {
                (mutant.number, self.replaced(&whole, &span, &mutant.replacement))
            })
            .collect();
        self.choose(&whole, alternatives);
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_struct(&mut self, expr: &'ast ExprStruct) {
        let whole = expr.span().byte_range();
        let mut alternatives = Vec::new();
        for field in expr.fields.pairs() {
            // With the comma behind it.
            let end = field
                .punct()
                .map_or(field.value().span(), syn::spanned::Spanned::span)
                .byte_range()
                .end;
            for (span, mutant) in self.take(field.value().span(), "StructField") {
                alternatives.push((mutant.number, self.replaced(&whole, &(span.start..end), "")));
            }
        }
        self.choose(&whole, alternatives);
        visit::visit_expr_struct(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        let deleted = self.take(arm.span(), "MatchArm");
        if let Some((_, guard)) = &arm.guard {
            let whole = guard.span().byte_range();
            for (_, mutant) in deleted {
                let number = mutant.number;
                let piece = Piece::of(number, format!("!crate::mutant::on({number}) && ("));
                self.edits.around(whole.start, whole.end, vec![piece], ")");
            }
            let guards = self.take(guard.span(), "MatchArmGuard");
            let guards = guards
                .into_iter()
                .map(|(_, mutant)| (mutant.number, mutant.replacement.clone()))
                .collect();
            self.choose(&whole, guards);
        } else {
            for (_, mutant) in deleted {
                let number = mutant.number;
                let piece = Piece::of(number, format!(" if !crate::mutant::on({number})"));
                self.edits.at(arm.pat.span().byte_range().end, vec![piece]);
            }
        }
        visit::visit_arm(self, arm);
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an expression is one of forty things")]
fn has_let(binary: &ExprBinary) -> bool {
    let within = |expr: &Expr| match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(binary),
        _ => false,
    };
    matches!(binary.op, BinOp::And(_)) && (within(&binary.left) || within(&binary.right))
}

fn is_assignment(op: &BinOp) -> bool {
    use BinOp::{
        AddAssign, BitAndAssign, BitOrAssign, BitXorAssign, DivAssign, MulAssign, RemAssign,
        ShlAssign, ShrAssign, SubAssign,
    };
    matches!(
        op,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

/// Where each line of a file starts.
struct Offsets<'a> {
    source: &'a str,
    lines: Vec<usize>,
}

impl<'a> Offsets<'a> {
    fn of(source: &'a str) -> Self {
        let lines =
            std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { source, lines }
    }

    fn range(&self, lines: &Lines) -> Option<Range<usize>> {
        Some(self.offset(&lines.start)?..self.offset(&lines.end)?)
    }

    fn offset(&self, place: &Place) -> Option<usize> {
        let start = *self.lines.get(place.line.checked_sub(1)?)?;
        let line = self.source.get(start..)?;
        let column = place.column.checked_sub(1)?;
        Some(start + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at))
    }
}
