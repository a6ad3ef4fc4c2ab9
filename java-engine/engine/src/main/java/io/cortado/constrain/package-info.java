/**
 * Token masks from grammars: a token is allowed if and only if some completion of the output exists
 * after it, and the end is allowed exactly where the output is complete. What cannot be enforced so
 * is refused when the grammar is compiled; what exceeds a limit later ends the request.
 *
 * <p>A front-end (JSON Schema, regex, GBNF, Lark, choices) describes a language in two layers.
 *
 * <ul>
 *   <li><b>Lexemes</b> are regular languages over bytes ({@link io.cortado.constrain.Regex}, made
 *       by {@link io.cortado.constrain.Regexes}) with union, intersection, complement and counts
 *       that are never unrolled; their states are Brzozowski derivatives. {@code isEmpty} and
 *       {@code isSubset} are exact. Whatever is regular is best one lexeme: pattern and length of a
 *       string, the keys that no declared property has, a value that is not one of some others.
 *   <li><b>Rules</b> are recursive transition networks whose states the front-end makes when they
 *       are reached ({@link io.cortado.constrain.RuleState}): a state may carry counters, sets and
 *       excluded values. {@link io.cortado.constrain.Syntax} is the ready-made kind for grammars
 *       that are given as text. {@link io.cortado.constrain.Edges#capture} lets the bytes of a
 *       value decide what may follow it.
 * </ul>
 *
 * <p><b>Conjunction and complement of values</b> (allOf, not, overlapping oneOf, unevaluated*) are
 * the front-end's: it keeps a boolean combination of schemas as the state of a value, normalises it
 * to a union of conjunctive shapes (scalars as one lexeme with {@code &} and {@code ~}; objects as
 * keys to combinations, with a set of keys still required and counts; arrays alike), and offers
 * each as alternative edges. "Some element satisfies F" is a counter in the state and, for each
 * element, the choice whether it is one of those; "at most k do" makes the others satisfy "not F".
 * Combinations that nothing satisfies are not offered. There is no product of parsers: two grammars
 * that each have a completion need not share one.
 *
 * <p>Under the rules, the automaton: a <i>row</i> is an Earley set over lexemes that is named by
 * its content rather than its position, a <i>configuration</i> is the set of rows and lexer states
 * that the bytes so far may have led to. Both are interned and shared by all requests of a grammar,
 * so that a request's state is one reference, rollback drops references, and a mask that was once
 * computed is a copy.
 */
@NullMarked
package io.cortado.constrain;

import org.jspecify.annotations.NullMarked;
