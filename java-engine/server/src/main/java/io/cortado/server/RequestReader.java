package io.cortado.server;

import io.cortado.api.GenerationRequest;
import io.cortado.api.ModelInfo;
import io.cortado.api.Prompt;
import io.cortado.api.SamplingParams;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Turns a request's JSON into an {@link Ask}: every known field is typed, ranged or refused. */
final class RequestReader {
    private static final int MAX_LOGPROBS = 20;

    private final ModelInfo model;
    private final List<String> names;
    private final ServerOptions options;
    private final PromptReader prompts;
    private final ConversationReader conversations;
    private final ChatConstraints constraints;

    RequestReader(
            ModelInfo model,
            List<String> names,
            ServerOptions options,
            ChatConstraints constraints) {
        this.model = model;
        this.constraints = constraints;
        this.names = names;
        this.options = options;
        this.prompts = new PromptReader(model.vocabSize());
        this.conversations = new ConversationReader(options.trustRequestChatTemplate());
    }

    Ask chat(ObjectNode body, RequestHead head) {
        Fields fields = Fields.of(body);
        String name = model(fields, true);
        UnsupportedFields.refuse(fields);
        ignoreAccepted(fields);
        boolean stream = fields.bool("stream", false);
        boolean usage = includeUsage(fields, stream);
        boolean cost = cost(fields, stream, usage);
        SchedulingFields.Read scheduling =
                SchedulingFields.read(fields, head.hints(), options.traffic());
        SamplingParams.Builder params =
                SamplingFields.read(fields, model, options.limits().choices(), stream);
        Long asked = fields.integer("max_completion_tokens", 1, Integer.MAX_VALUE);
        fields.integer("max_tokens", 1, Integer.MAX_VALUE);
        SamplingFields.lengths(fields, params, 1, asked, Integer.MAX_VALUE);
        Integer promptLogprobs = SamplingFields.promptLogprobs(fields, stream);
        Integer logprobs = chatLogprobs(fields);
        Ask.Form form =
                new Ask.Form(
                        logprobs != null,
                        fields.bool("echo", false),
                        promptLogprobs != null,
                        fields.bool("return_token_ids", false),
                        cost,
                        KvTransfer.read(fields));
        if (form.echo()) {
            throw ApiError.unsupported("echo", "only false is taken in a chat");
        }
        Prompt.Chat prompt = conversations.read(fields);
        ChatConstraints.Read asks = constraints.read(fields, prompt.template());
        asks.apply(params);
        strict(fields);
        GenerationRequest request =
                new GenerationRequest(
                        prompt,
                        params.scoring(SamplingFields.scoring(fields, logprobs, promptLogprobs))
                                .build(),
                        false,
                        scheduling.scheduling(),
                        head.requestId());
        return new Ask(
                name,
                List.of(request),
                stream,
                usage,
                scheduling.sloClass(),
                form,
                asks.path(),
                asks.reading());
    }

    Ask completion(ObjectNode body, RequestHead head) {
        Fields fields = Fields.of(body);
        String name = model(fields, true);
        UnsupportedFields.refuse(fields);
        ConversationReader.refuseOutsideChats(fields);
        ignoreAccepted(fields);
        boolean stream = fields.bool("stream", false);
        boolean usage = includeUsage(fields, stream);
        boolean cost = cost(fields, stream, usage);
        SchedulingFields.Read scheduling =
                SchedulingFields.read(fields, head.hints(), options.traffic());
        boolean echo = fields.bool("echo", false);
        SamplingParams.Builder params =
                SamplingFields.read(fields, model, options.limits().choices(), stream);
        ConstraintFields.Read constraint = ConstraintFields.read(fields);
        params.constraint(constraint == null ? null : constraint.constraint());
        SamplingFields.lengths(fields, params, echo ? 0 : 1, null, 16);
        Long logprobs = fields.integer("logprobs", 0, MAX_LOGPROBS);
        Integer promptLogprobs = SamplingFields.promptLogprobs(fields, stream);
        Integer k = logprobs == null ? null : logprobs.intValue();
        Ask.Form form =
                new Ask.Form(
                        k != null,
                        echo,
                        promptLogprobs != null,
                        fields.bool("return_token_ids", false),
                        cost,
                        KvTransfer.read(fields));
        Integer ofPrompt = echo && promptLogprobs == null ? k : promptLogprobs;
        params.scoring(SamplingFields.scoring(fields, k, ofPrompt));
        SamplingParams built = params.build();
        List<GenerationRequest> requests = new ArrayList<>();
        for (Prompt prompt : prompts.prompts(fields, "prompt", options.limits().prompts())) {
            requests.add(
                    new GenerationRequest(
                            prompt, built, echo, scheduling.scheduling(), head.requestId()));
        }
        strict(fields);
        return new Ask(
                name,
                requests,
                stream,
                usage,
                scheduling.sloClass(),
                form,
                constraint == null ? null : constraint.path(),
                Ask.Reading.PLAIN);
    }

    EmbeddingAsk embedding(ObjectNode body, RequestHead head) {
        Fields fields = Fields.of(body);
        String name = model(fields, true);
        ignoreAccepted(fields);
        EmbeddingAsk ask =
                EmbeddingAsk.read(
                        name,
                        fields,
                        prompts,
                        options.embedding(),
                        model.embedding(),
                        SchedulingFields.read(fields, head.hints(), options.traffic()));
        strict(fields);
        return ask;
    }

    /** The prompt of /tokenize: a text, or a conversation. */
    Prompt tokenize(ObjectNode body) {
        Fields fields = Fields.of(body);
        model(fields, false);
        fields.bool("return_token_strs");
        if (!fields.has("messages")) {
            ConversationReader.refuseOutsideChats(fields);
        }
        Prompt prompt =
                fields.has("messages")
                        ? conversations.read(fields)
                        : new Prompt.Text(
                                fields.requiredString("prompt"),
                                fields.bool("add_special_tokens", true));
        strict(fields);
        return prompt;
    }

    int[] detokenize(ObjectNode body) {
        Fields fields = Fields.of(body);
        model(fields, false);
        JsonNode tokens = fields.node("tokens");
        if (tokens == null) {
            throw ApiError.invalid("tokens", "tokens is required.");
        }
        int[] ids = prompts.ids(fields, "tokens", tokens);
        strict(fields);
        return ids;
    }

    private String model(Fields fields, boolean required) {
        String name = required ? fields.requiredString("model") : fields.string("model");
        if (name != null && !names.contains(name)) {
            throw modelNotFound();
        }
        return name == null ? names.getFirst() : name;
    }

    static ApiError modelNotFound() {
        return ApiError.of(
                HttpResponseStatus.NOT_FOUND,
                "The model does not exist here; GET /v1/models lists those that do.",
                "model",
                "model_not_found");
    }

    private static void ignoreAccepted(Fields fields) {
        fields.ignore(
                "user",
                "safety_identifier",
                "metadata",
                "service_tier",
                "prompt_cache_key",
                "prompt_cache_retention",
                "prompt_cache_options",
                "request_id");
    }

    private void strict(Fields fields) {
        if (options.strict()) {
            fields.refuseUnknown();
        }
    }

    private static boolean includeUsage(Fields fields, boolean stream) {
        Fields asked = fields.object("stream_options");
        if (asked == null) {
            return false;
        }
        if (!stream) {
            throw ApiError.invalid("stream_options", "stream_options needs stream: true.");
        }
        asked.bool("include_obfuscation");
        if (asked.bool("continuous_usage_stats", false)) {
            throw ApiError.unsupported(
                    "stream_options.continuous_usage_stats", "only false is taken");
        }
        return asked.bool("include_usage", false);
    }

    /** A stream tells what it has cost where it tells its usage. */
    private static boolean cost(Fields fields, boolean stream, boolean usage) {
        boolean cost = fields.bool("cost", false);
        if (cost && stream && !usage) {
            throw ApiError.invalid(
                    "cost", "cost needs stream_options.include_usage: true in a stream.");
        }
        return cost;
    }

    private static @Nullable Integer chatLogprobs(Fields fields) {
        boolean on = fields.bool("logprobs", false);
        Long top = fields.integer("top_logprobs", 0, MAX_LOGPROBS);
        if (top != null && top > 0 && !on) {
            throw ApiError.invalid("top_logprobs", "top_logprobs needs logprobs: true.");
        }
        if (!on) {
            return null;
        }
        return top == null ? 0 : top.intValue();
    }
}
