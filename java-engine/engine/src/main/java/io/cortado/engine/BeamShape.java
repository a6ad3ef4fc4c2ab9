package io.cortado.engine;

import io.cortado.api.DraftShape;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a shape asks of each level of a tree that is drafted.
 *
 * @param width the most drafts of a level that are gone on behind
 * @param children the most that are drafted behind one
 * @param nodes the most that are drafted in all
 * @param selected of them, those that are verified
 * @param fixed null: the likeliest are gone on behind
 */
record BeamShape(int width, int children, int nodes, int selected, @Nullable Places fixed) {

    /**
     * The places of a fixed tree; the children of one are next to each other. The first entry is
     * the root's, that of place i is number 1 + i.
     */
    record Places(int[] firstChild, int[] numChildren) {}

    static BeamShape of(DraftShape shape, int depth) {
        return switch (shape) {
            case DraftShape.Chain _ -> throw new IllegalArgumentException("a chain is no tree");
            case DraftShape.TopK(int size, int k) ->
                    new BeamShape(k, k, k + (depth - 1) * k * k, size, null);
            case DraftShape.Fixed(List<List<Integer>> paths) -> of(paths);
        };
    }

    private static BeamShape of(List<List<Integer>> paths) {
        int size = paths.size();
        int[] firstChild = new int[1 + size];
        int[] numChildren = new int[1 + size];
        int[] parentsAt = new int[1 + paths.getLast().size()];
        for (int place = size - 1; place >= 0; place--) {
            List<Integer> path = paths.get(place);
            int depth = path.size() - 1;
            int parent = 1 + (depth == 0 ? -1 : paths.indexOf(path.subList(0, depth)));
            parentsAt[depth] += numChildren[parent] == 0 ? 1 : 0;
            numChildren[parent]++;
            firstChild[parent] = place;
        }
        int width = 1;
        int children = numChildren[0];
        for (int depth = 1; depth < parentsAt.length; depth++) {
            width = Math.max(width, parentsAt[depth]);
        }
        for (int count : numChildren) {
            children = Math.max(children, count);
        }
        return new BeamShape(width, children, size, size, new Places(firstChild, numChildren));
    }
}
