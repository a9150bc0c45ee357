// Runs the routers of one version of Dubbo on worlds: one JSON object a line on standard input, with `rules` as texts,
// and one JSON list of answers a line on standard output. Each answer has `counts`, how often which instances were
// left in `runs` runs, and `errors`, what Dubbo would only log.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.dubbo.common.URL;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;
import org.apache.dubbo.rpc.RpcInvocation;
import org.apache.dubbo.rpc.cluster.Configurator;
import org.apache.dubbo.rpc.cluster.configurator.parser.ConfigParser;
import org.yaml.snakeyaml.Yaml;

/** Runs routers on worlds: what the programs of all versions have in common. */
abstract class Worlds {
    /** A request of a world, as routers see it, and those of its routers that are kept from one run to the next. */
    static final class Routing {
        final Map<String, Object> world;
        final URL consumer;
        final RpcInvocation invocation;
        final Map<String, Object> routers = new HashMap<>();

        Routing(Map<String, Object> world, URL consumer, RpcInvocation invocation) {
            this.world = world;
            this.consumer = consumer;
            this.invocation = invocation;
        }
    }

    private final String protocol;

    Worlds(String protocol) {
        this.protocol = protocol;
    }

    /** The instances that a rule leaves. */
    abstract List<Invoker<Object>> route(Kind kind, String text, List<Invoker<Object>> left, Routing routing)
            throws Exception;

    /** Gives an invocation the unique name of its service, in versions that look at it. */
    void name(RpcInvocation invocation, String uniqueName) {}

    enum Kind { MESH, CONFIGURATOR, TAG, CONDITION }

    private static final class Instance implements Invoker<Object> {
        final String name;
        final URL url;

        Instance(String name, URL url) {
            this.name = name;
            this.url = url;
        }

        @Override public Class<Object> getInterface() { return Object.class; }
        @Override public URL getUrl() { return url; }
        @Override public boolean isAvailable() { return true; }
        @Override public void destroy() {}
        @Override public Result invoke(Invocation invocation) { return null; }
        @Override public String toString() { return name; }
    }

    /** Answers worlds until standard input ends. */
    void serve() throws Exception {
        BufferedReader worlds = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = worlds.readLine(); line != null; line = worlds.readLine()) {
            Map<String, Object> world = new Yaml().load(line);
            List<String> answers = new ArrayList<>();
            for (Map<String, Object> request : maps(world, "requests")) {
                answers.add(answer(world, request));
            }
            System.out.println(answers);
            System.out.flush();
        }
        System.exit(0);
    }

    private String answer(Map<String, Object> world, Map<String, Object> request) {
        URL consumer = consumer(world, request);
        List<Invoker<Object>> instances = instances(world, consumer);
        RpcInvocation invocation = invocation(request, consumer.getServiceInterface(), instances.get(0));
        Routing routing = new Routing(world, consumer, invocation);
        Set<String> errors = new LinkedHashSet<>();
        Map<String, Integer> counts = new TreeMap<>();
        List<String> parameters = new ArrayList<>();
        int runs = ((Number) world.getOrDefault("runs", 1)).intValue();
        for (int run = 0; run < runs; run++) {
            List<Invoker<Object>> left = instances;
            for (Kind kind : Kind.values()) {
                for (Object rule : (List<?>) world.get("rules")) {
                    String text = String.valueOf(rule);
                    try {
                        if (kind(text) != kind) {
                            continue;
                        }
                        if (kind == Kind.CONFIGURATOR) {
                            if (run == 0) {
                                parameters = configured(text, consumer, instances);
                            }
                            continue;
                        }
                        left = route(kind, text, left, routing);
                    } catch (Throwable error) {
                        errors.add(error.getClass().getSimpleName() + ": " + error.getMessage());
                    }
                }
            }
            List<String> names = new ArrayList<>();
            left.forEach(instance -> names.add(instance.toString()));
            counts.merge(String.join(" ", names), 1, Integer::sum);
        }
        StringBuilder shown = new StringBuilder();
        counts.forEach((names, count) ->
            shown.append(shown.length() == 0 ? "" : ", ").append(quoted(names)).append(": ").append(count));
        List<String> logged = new ArrayList<>();
        errors.forEach(error -> logged.add(quoted(error)));
        return "{\"counts\": {" + shown + "}, \"errors\": " + logged + ", \"parameters\": " + parameters + "}";
    }

    private static Kind kind(String text) {
        if (text.contains("routedetail") || text.contains("kind: DestinationRule")) {
            return Kind.MESH;
        }
        Map<String, Object> rule = new Yaml().load(text);
        return rule.containsKey("configs") ? Kind.CONFIGURATOR : rule.containsKey("tags") ? Kind.TAG : Kind.CONDITION;
    }

    /** The parameters of the consumer, and of each instance, after configurators. */
    private static List<String> configured(String text, URL consumer, List<Invoker<Object>> instances)
            throws Exception {
        List<Configurator> all = Configurator.toConfigurators(ConfigParser.parseConfigurators(text)).orElse(List.of());
        List<String> found = new ArrayList<>();
        URL changed = consumer;
        for (Configurator each : all) {
            changed = each.configure(changed);
        }
        found.add(object(changed.getParameters()));
        for (Invoker<Object> instance : instances) {
            URL url = instance.getUrl();
            for (Configurator each : all) {
                url = each.configure(url.addParameter("application", url.getParameter("remote.application")));
            }
            found.add(object(url.getParameters()));
        }
        return found;
    }

    private static URL consumer(Map<String, Object> world, Map<String, Object> request) {
        Map<String, Object> consumer = map(request.getOrDefault("consumer", Map.of()));
        String service = text(request, "service", text(world, "service", "service"));
        Map<String, String> parameters = new LinkedHashMap<>();
        parameters.put("application", text(consumer, "application", "consumer-app"));
        parameters.put("interface", service);
        parameters.put("side", "consumer");
        for (String key : List.of("version", "group")) {
            if (request.get(key) != null) {
                parameters.put(key, text(request, key, ""));
            }
        }
        parameters.putAll(texts(consumer.get("params")));
        return new URL("consumer", text(consumer, "host", "10.9.9.9"), 0, service, parameters);
    }

    /** The instances as a consumer sees them: what ClusterUtils.mergeUrl leaves in their URLs. */
    private List<Invoker<Object>> instances(Map<String, Object> world, URL consumer) {
        List<Invoker<Object>> found = new ArrayList<>();
        for (Map<String, Object> each : maps(world, "instances")) {
            String[] address = text(each, "address", "").split(":");
            Map<String, String> parameters = new LinkedHashMap<>();
            parameters.put("application", consumer.getParameter("application"));
            parameters.put("remote.application", text(each, "application", text(world, "application", "")));
            parameters.put("interface", consumer.getServiceInterface());
            parameters.put("side", "provider");
            parameters.putAll(texts(each.get("params")));
            URL url = new URL(protocol, address[0], Integer.parseInt(address[1]), consumer.getPath(), parameters);
            found.add(new Instance(text(each, "name", ""), url));
        }
        return found;
    }

    private RpcInvocation invocation(Map<String, Object> request, String service, Invoker<Object> first) {
        String version = text(request, "version", null);
        String group = text(request, "group", null);
        RpcInvocation invocation = new RpcInvocation();
        invocation.setMethodName(text(request, "method", ""));
        name(invocation, (group == null ? "" : group + "/") + service + (version == null ? "" : ":" + version));
        invocation.setServiceName(service);
        Object[] values = ((List<?>) request.getOrDefault("arguments", List.of())).toArray();
        Class<?>[] types = new Class<?>[values.length];
        Arrays.fill(types, Object.class);
        invocation.setArguments(values);
        invocation.setParameterTypes(types);
        invocation.setInvoker(first);
        texts(request.get("attachments")).forEach(invocation::setAttachment);
        return invocation;
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> map(Object value) {
        return (Map<String, Object>) value;
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> maps(Map<String, Object> of, String key) {
        return (List<Map<String, Object>>) of.get(key);
    }

    private static String text(Map<String, Object> of, String key, String otherwise) {
        Object value = of.get(key);
        return value == null ? otherwise : String.valueOf(value);
    }

    private static Map<String, String> texts(Object of) {
        Map<String, String> found = new LinkedHashMap<>();
        if (of != null) {
            map(of).forEach((key, value) -> found.put(String.valueOf(key), String.valueOf(value)));
        }
        return found;
    }

    private static String object(Map<String, String> of) {
        StringBuilder shown = new StringBuilder();
        new TreeMap<>(of).forEach((key, value) ->
            shown.append(shown.length() == 0 ? "" : ", ").append(quoted(key)).append(": ").append(quoted(value)));
        return "{" + shown + "}";
    }

    private static String quoted(String text) {
        StringBuilder shown = new StringBuilder("\"");
        for (char each : String.valueOf(text).toCharArray()) {
            if (each < ' ' || each == '"' || each == '\\' || each > '~') {
                shown.append(String.format("\\u%04x", (int) each));
            } else {
                shown.append(each);
            }
        }
        return shown.append('"').toString();
    }
}
