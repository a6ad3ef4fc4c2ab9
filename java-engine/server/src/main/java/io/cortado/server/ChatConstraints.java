package io.cortado.server;

import io.cortado.api.Constraint;
import io.cortado.api.Reasoning;
import io.cortado.api.SamplingParams;
import org.jspecify.annotations.Nullable;

/** What an answer in a chat has to be: by its format's fields or its tools, after its reasoning. */
final class ChatConstraints {
    /**
     * What was asked for.
     *
     * @param constraint null: the answer may be anything
     * @param path of the field that says so, for errors
     */
    record Read(@Nullable Constraint constraint, @Nullable String path, Ask.Reading reading) {
        void apply(SamplingParams.Builder params) {
            params.constraint(constraint);
            if (reading.tools() != null) { // a call's marker may be a control token
                params.skipSpecialTokens(false);
            }
        }
    }

    private final HermesTemplate templates;
    private final @Nullable Reasoning reasoning;

    /**
     * @param reasoning that is taken out of answers; null: none
     */
    ChatConstraints(HermesTemplate templates, @Nullable Reasoning reasoning) {
        this.templates = templates;
        this.reasoning = reasoning;
    }

    /**
     * @param template that the request brings; null: the model's
     */
    Read read(Fields fields, @Nullable String template) {
        boolean showsReasoning = fields.bool("include_reasoning", true);
        ConstraintFields.Read format = ConstraintFields.read(fields);
        ToolChoice tools = ToolChoice.read(fields);
        Constraint answer = format == null ? null : format.constraint();
        String path = format == null ? null : format.path();
        if (tools != null) {
            if (format != null) {
                throw ApiError.unsupported(
                        format.path(), "beside tools only tool_choice \"none\" is taken");
            }
            if (!templates.writesCalls(template)) {
                throw ApiError.unsupported(
                        "tools",
                        "the chat template does not write calls in the form of Hermes, which is"
                                + " the one that is read; tool_choice \"none\" is taken");
            }
            answer = tools.constraint();
            path = "tools";
        }
        return new Read(
                answer == null || reasoning == null
                        ? answer
                        : new Constraint.AfterReasoning(answer, reasoning),
                path,
                new Ask.Reading(reasoning, showsReasoning, tools));
    }
}
