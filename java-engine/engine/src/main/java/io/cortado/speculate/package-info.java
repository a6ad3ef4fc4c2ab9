/**
 * Speculative decoding: who proposes tokens, how many, and which of them stand.
 *
 * <p>A proposer drafts tokens that may come next; one step of the target computes the logits behind
 * each of them; each row is drawn by the target's own sampler with the random numbers of its own
 * place, exactly as it would be alone, and a draft stands where it is what was drawn before it. The
 * output is therefore the same, token for token, as without speculation, at every temperature and
 * under every option: drafts decide only how many tokens a step gives (Daliri et al. 2024,
 * drafter-invariant speculative decoding, arXiv 2408.07978).
 *
 * <p>Drafts are a chain, or a tree, of which the way stands that the draws follow. Each way of a
 * tree is verified as a text of its own: attention adds keys up in the order of their places, so a
 * key must lie where it lies without drafts, or the last bits would differ.
 */
@NullMarked
package io.cortado.speculate;

import org.jspecify.annotations.NullMarked;
