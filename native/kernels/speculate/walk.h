// walk.h: which drafted tokens stand, one text for every device and for the test that sums over all coins.
//
// A Tree (verify.h on the CPU, verify.cu on a GPU, where every thread of the block runs this text with the same values) has
//   int32_t size()                   rows of the request; row 0 is the root
//   int32_t most()                   drafts that may be accepted
//   int32_t parent(j)
//   int32_t token(j)                 the node's drafted token
//   bool is_candidate(j)             it can be asked: the token exists, and its draft row where it has one
//   bool has_draft(j)                it was drawn from a draft row
//   bool is_block()                  the request is verified as a block
//   int32_t status(i)                a ct_sample_status of row i of the target
//   double p(j), q(j)                probability of the node's token in its parent's row and in its draft row
//   bool stands(i, j)                a coin of row i is below share_of(p(j), q(j))
//   bool accepts(i, use, double share)   another of its coins is below the share
//   int32_t draw(i)                  a token from p of row i
//   void begin(i, double scale)      r = scale * p of row i; left() = 1
//   void subtract(j)                 r = max(r - left() * q of node j, 0); left() = the sum of r
//   double left()
//   double rest(j)                   r of the node's token
//   int32_t draw_rest(i)             a token from r, by a number of row i
//   void enter(i)                    the walk goes through row i
//   void emit(token)
//   void end(int32_t status)
#pragma once

#include "core/core.h"

namespace ct {

CT_HOST_DEVICE [[gnu::always_inline]] inline double share_of(double p, double q) {
    return q > 0 && p > 0 ? p / q : 0.0;
}

template <typename Tree>
CT_HOST_DEVICE [[gnu::always_inline]] inline bool is_child(Tree& x, int32_t j, int32_t of) {
    return x.parent(j) == of && x.is_candidate(j);
}

// From r of row i; from p where r has no mass: rounding has eaten what there was.
template <typename Tree>
CT_HOST_DEVICE [[gnu::always_inline]] inline int32_t draw_after_refusal(Tree& x, int32_t i) {
    return x.left() > 0 ? x.draw_rest(i) : x.draw(i);
}

template <typename Tree>
CT_HOST_DEVICE [[gnu::always_inline]] inline double rest_share(Tree& x, int32_t j) {
    const double q = x.q(j);
    const double p = x.rest(j);
    return q > 0 && p > 0 ? p / (q * x.left()) : 0.0;
}

// The first child that stands, or -1; *token: it or what is emitted in its place. Some child has a draft row.
template <typename Tree>
CT_HOST_DEVICE [[gnu::always_inline]] inline int32_t ask_children(Tree& x, int32_t i, int32_t* token) {
    uint32_t asked = 0;
    for (int32_t j = i + 1; j < x.size(); ++j) {
        if (!is_child(x, j, i)) continue;
        if (asked == 0 ? x.stands(i, j) : x.accepts(i, asked, rest_share(x, j))) {
            *token = x.token(j);
            return j;
        }
        if (asked == 0) x.begin(i, 1.0);
        x.subtract(j);
        ++asked;
        if (!(x.left() > 0)) break;
    }
    *token = draw_after_refusal(x, i);
    return -1;
}

template <typename Tree>
CT_HOST_DEVICE [[gnu::always_inline]] inline int32_t match_children(Tree& x, int32_t i, int32_t* token) {
    *token = x.draw(i);
    for (int32_t j = i + 1; j < x.size(); ++j) {
        if (is_child(x, j, i) && x.token(j) == *token) return j;
    }
    return -1;
}

template <typename Tree>
CT_HOST_DEVICE [[gnu::always_inline]] inline void walk_tokens(Tree& x) {
    int32_t at = 0;
    for (int32_t accepted = 0;; ++accepted) {
        x.enter(at);
        if (x.status(at) != CT_SAMPLE_OK) return x.end(x.status(at));
        bool by_chance = false;
        for (int32_t j = at + 1; accepted < x.most() && j < x.size(); ++j) {
            by_chance = by_chance || (is_child(x, j, at) && x.has_draft(j));
        }
        int32_t token = -1;
        int32_t next = -1;
        if (accepted == x.most()) {
            token = x.draw(at);
        } else if (by_chance) {
            next = ask_children(x, at, &token);
        } else {
            next = match_children(x, at, &token);
        }
        x.emit(token);
        if (next < 0) return x.end(CT_SAMPLE_OK);
        at = next;
    }
}

// Sun et al.'s P_i: how much of the first i drafts' probability the target shares.
template <typename Tree>
CT_HOST_DEVICE [[gnu::always_inline]] inline double block_share(Tree& x, int32_t i) {
    double share = 1;
    for (int32_t j = 1; j <= i; ++j) {
        const double q = x.q(j);
        const double next = q > 0 ? share * (x.p(j) / q) : 0.0;
        share = next < 1 ? next : 1.0;
    }
    return share;
}

// The last draft that stands is asked for first: what comes after it has lost its own coins, what comes before does not
// matter.
template <typename Tree>
CT_HOST_DEVICE [[gnu::always_inline]] inline void walk_block(Tree& x) {
    int32_t length = 0;
    while (length < x.most() && length + 1 < x.size() && x.status(length) == CT_SAMPLE_OK &&
           x.is_candidate(length + 1)) {
        ++length;
    }
    int32_t held = -1;  // the row whose r there is
    int32_t accepted = length;
    for (; accepted > 0; --accepted) {
        const double share = block_share(x, accepted);
        double stands = share;
        if (accepted < length && share < 1) {
            x.begin(accepted, share);
            x.subtract(accepted + 1);
            held = accepted;
            stands = x.left() / (x.left() + (1 - share));
        }
        if (x.accepts(accepted - 1, 0, stands)) break;
    }
    for (int32_t i = 0; i < accepted; ++i) {
        x.enter(i);
        x.emit(x.token(i + 1));
    }
    x.enter(accepted);
    if (x.status(accepted) != CT_SAMPLE_OK) return x.end(x.status(accepted));
    if (accepted == length) {
        x.emit(x.draw(accepted));
        return x.end(CT_SAMPLE_OK);
    }
    if (held != accepted) {
        x.begin(accepted, block_share(x, accepted));
        x.subtract(accepted + 1);
    }
    x.emit(draw_after_refusal(x, accepted));
    x.end(CT_SAMPLE_OK);
}

template <typename Tree>
CT_HOST_DEVICE [[gnu::always_inline]] inline void walk(Tree& x) {
    if (x.is_block()) {
        walk_block(x);
    } else {
        walk_tokens(x);
    }
}

}  // namespace ct
