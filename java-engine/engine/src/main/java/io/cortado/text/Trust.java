package io.cortado.text;

/** Which added tokens may match where. */
interface Trust {
    /** The least trust of any stretch that {@code [start, end)} touches. */
    AddedTokenMatch of(int start, int end);

    /** Whether one stretch holds all of {@code [start, end)}. */
    boolean isOneStretch(int start, int end);

    /** The same everywhere. */
    record Uniform(AddedTokenMatch match) implements Trust {
        @Override
        public AddedTokenMatch of(int start, int end) {
            return match;
        }

        @Override
        public boolean isOneStretch(int start, int end) {
            return true;
        }
    }

    /** That of the places of a prompt that a normalized text stands for. */
    record OfPlaces(PromptText prompt, AlignedText text) implements Trust {
        @Override
        public AddedTokenMatch of(int start, int end) {
            return prompt.of(text.start(start), last(end));
        }

        @Override
        public boolean isOneStretch(int start, int end) {
            return prompt.isOneStretch(text.start(start), last(end));
        }

        /** What composed stands for its first character only, so look up to what follows. */
        private int last(int end) {
            int own = text.end(end - 1);
            return end < text.length() ? Math.max(own, text.start(end)) : own;
        }
    }
}
