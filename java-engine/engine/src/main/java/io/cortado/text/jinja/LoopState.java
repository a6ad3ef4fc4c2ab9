package io.cortado.text.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What {@code loop} is inside a for block. */
final class LoopState {
    private final List<Object> items;
    private final int depth;
    private final @Nullable Callable again;
    private int index = -1;
    private @Nullable Object lastChanged;

    LoopState(List<Object> items, int depth, @Nullable Callable again) {
        this.items = items;
        this.depth = depth;
        this.again = again;
    }

    void advance() {
        index++;
    }

    int depth() {
        return depth;
    }

    Object call(Arguments arguments) {
        if (again == null) {
            throw new TemplateException("the loop must have the 'recursive' marker to be called");
        }
        return again.call(arguments);
    }

    @Override
    public String toString() {
        return "<LoopContext " + (index + 1) + "/" + items.size() + ">";
    }

    @Nullable Object attribute(String name, Budget budget) {
        int length = items.size();
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) length - index;
            case "revindex0" -> (long) length - index - 1;
            case "first" -> index == 0;
            case "last" -> index == length - 1;
            case "length" -> (long) length;
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "previtem" ->
                    index > 0 ? items.get(index - 1) : new Undefined("there is no previous item");
            case "nextitem" ->
                    index + 1 < length
                            ? items.get(index + 1)
                            : new Undefined("there is no next item");
            case "cycle" ->
                    (Callable)
                            args -> {
                                if (args.positional().isEmpty()) {
                                    throw new TemplateException("no items for cycling given");
                                }
                                return args.positional().get(index % args.positional().size());
                            };
            case "changed" ->
                    (Callable)
                            args -> {
                                Object now = new Tuple(args.positional());
                                boolean changed =
                                        lastChanged == null
                                                || !Operators.areEqual(lastChanged, now, budget);
                                lastChanged = now;
                                return changed;
                            };
            default -> null;
        };
    }
}
