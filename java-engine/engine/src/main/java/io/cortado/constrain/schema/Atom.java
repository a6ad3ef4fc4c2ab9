package io.cortado.constrain.schema;

import io.cortado.constrain.Regex;

/** A statement about the values of one type. */
sealed interface Atom {
    /** {@link Integer#MAX_VALUE} as a count is no limit. */
    int UNBOUNDED = Integer.MAX_VALUE;

    int type();

    /**
     * A string, by what is written between its quotes.
     *
     * @param yes those that fit
     * @param no those that do not
     */
    record StringIn(Regex yes, Regex no) implements Atom {
        @Override
        public int type() {
            return Types.STRING;
        }
    }

    /**
     * A number.
     *
     * @param yes those that fit
     * @param no those that do not
     */
    record NumberIn(NumberSet yes, NumberSet no) implements Atom {
        @Override
        public int type() {
            return Types.NUMBER;
        }
    }

    /** The values of all properties with such keys. */
    record AllProperties(KeySet keys, Formula value) implements Atom {
        @Override
        public int type() {
            return Types.OBJECT;
        }
    }

    /** There is a property with such a key and value. */
    record SomeProperty(KeySet keys, Formula value) implements Atom {
        @Override
        public int type() {
            return Types.OBJECT;
        }
    }

    /** Where there is a property with one key, there is one with another. */
    record Needs(String key, String needed) implements Atom {
        @Override
        public int type() {
            return Types.OBJECT;
        }
    }

    record PropertyCount(int min, int max) implements Atom {
        @Override
        public int type() {
            return Types.OBJECT;
        }
    }

    /** The items from one index to before another. */
    record AllItems(int from, int to, Formula value) implements Atom {
        @Override
        public int type() {
            return Types.ARRAY;
        }
    }

    record SomeItem(int from, int to, Formula value) implements Atom {
        @Override
        public int type() {
            return Types.ARRAY;
        }
    }

    record ItemCount(int min, int max) implements Atom {
        @Override
        public int type() {
            return Types.ARRAY;
        }
    }

    /** How many items are such. */
    record Contains(Formula value, int min, int max) implements Atom {
        @Override
        public int type() {
            return Types.ARRAY;
        }
    }

    /** No two items are equal. */
    record UniqueItems() implements Atom {
        @Override
        public int type() {
            return Types.ARRAY;
        }
    }

    /** Two items are equal. */
    record RepeatedItem() implements Atom {
        @Override
        public int type() {
            return Types.ARRAY;
        }
    }
}
