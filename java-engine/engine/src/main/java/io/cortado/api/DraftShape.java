package io.cortado.api;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * How drafts hang together: one behind the other, or as a tree in which several may come at a place
 * and the model says which of them does. What comes out does not depend on it.
 */
public sealed interface DraftShape {
    /** The most drafts of a tree. */
    int MAX_NODES = 64;

    /** The most drafts behind one token. */
    int MAX_CHILDREN = 20;

    /** Each draft behind the one before it. */
    DraftShape CHAIN = new Chain();

    /** The most drafts of a sequence in a step. */
    int nodes(int depth);

    /** See {@link #CHAIN}. */
    record Chain() implements DraftShape {
        @Override
        public int nodes(int depth) {
            return depth;
        }
    }

    /**
     * The same tree in each step.
     *
     * @param paths of each draft, the ranks of likelihood on the way to it: (0, 1) is the second
     *     likeliest behind the likeliest. Each prefix of a path is a path, as is each lower rank of
     *     its last
     */
    record Fixed(List<List<Integer>> paths) implements DraftShape {
        public Fixed {
            paths =
                    paths.stream()
                            .map(List::copyOf)
                            .sorted((a, b) ->
                                    a.size() != b.size() ? a.size() - b.size() : compare(a, b))
                            .toList();
            Ranges.within("speculative_token_tree", 1, MAX_NODES, paths.size());
            Set<List<Integer>> all = new HashSet<>(paths);
            if (all.size() < paths.size()) {
                throw wrong("must not have a path twice", paths);
            }
            for (List<Integer> path : paths) {
                int end = path.size() - 1;
                if (end < 0 || path.get(end) < 0 || path.get(end) >= MAX_CHILDREN) {
                    throw wrong("must have paths of numbers from 0 to 19", path);
                }
                List<Integer> parent = path.subList(0, end);
                if (end > 0 && !all.contains(parent)) {
                    throw wrong("must have " + parent + ", which leads to", path);
                }
                if (path.get(end) > 0) {
                    List<Integer> before = new ArrayList<>(parent);
                    before.add(path.get(end) - 1);
                    if (!all.contains(before)) {
                        throw wrong("must have " + before + ", which is likelier than", path);
                    }
                }
            }
        }

        private static int compare(List<Integer> a, List<Integer> b) {
            for (int i = 0; i < a.size(); i++) {
                if (!a.get(i).equals(b.get(i))) {
                    return a.get(i) - b.get(i);
                }
            }
            return 0;
        }

        private static EngineException wrong(String what, List<?> value) {
            return EngineException.invalid(
                    "speculative_token_tree", "speculative_token_tree " + what + ": " + value);
        }

        @Override
        public int nodes(int depth) {
            return paths.size();
        }

        /** Drafts on the longest way. */
        public int depth() {
            return paths.getLast().size();
        }
    }

    /**
     * The tree of the likeliest texts: each step of drafting goes on behind the likeliest few, and
     * of all that was drafted the likeliest is verified (EAGLE-2: Li et al. 2024, arXiv
     * 2406.16858).
     *
     * @param size drafts that are verified, 1 to {@link #MAX_NODES}
     * @param topK drafts that are gone on behind, and drafts behind each, 1 to {@link
     *     #MAX_CHILDREN}
     */
    record TopK(int size, int topK) implements DraftShape {
        public TopK {
            Ranges.within("tree_size", 1, MAX_NODES, size);
            Ranges.within("tree_top_k", 1, MAX_CHILDREN, topK);
        }

        @Override
        public int nodes(int depth) {
            return size;
        }
    }
}
