import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.dubbo.common.config.configcenter.ConfigChangeType;
import org.apache.dubbo.common.config.configcenter.ConfigChangedEvent;
import org.apache.dubbo.common.utils.Holder;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.RpcInvocation;
import org.apache.dubbo.rpc.cluster.router.condition.config.ServiceStateRouter;
import org.apache.dubbo.rpc.cluster.router.condition.config.model.ConditionRuleParser;
import org.apache.dubbo.rpc.cluster.router.mesh.route.StandardMeshRuleRouter;
import org.apache.dubbo.rpc.cluster.router.state.BitList;
import org.apache.dubbo.rpc.cluster.router.state.StateRouter;
import org.apache.dubbo.rpc.cluster.router.state.TailStateRouter;
import org.apache.dubbo.rpc.cluster.router.tag.TagStateRouter;
import org.apache.dubbo.rpc.cluster.router.tag.model.TagRuleParser;
import org.yaml.snakeyaml.Yaml;

/** Runs the routers of Dubbo 3. */
public class Oracle3 extends Worlds {
    private Oracle3() {
        super("tri");
    }

    public static void main(String[] arguments) throws Exception {
        new Oracle3().serve();
    }

    @Override
    void name(RpcInvocation invocation, String uniqueName) {
        invocation.setTargetServiceUniqueName(uniqueName);
    }

    @Override
    @SuppressWarnings("unchecked")
    List<Invoker<Object>> route(Kind kind, String text, List<Invoker<Object>> left, Routing routing) {
        BitList<Invoker<Object>> before =
            left instanceof BitList ? (BitList<Invoker<Object>>) left : new BitList<>(left);
        StateRouter<Object> router = (StateRouter<Object>) routing.routers.get(text);
        if (router == null) {
            router = router(kind, text, before, routing);
            router.setNextRouter(TailStateRouter.getInstance());
            if (kind != Kind.TAG) {  // which looks at the instances that are left
                routing.routers.put(text, router);
            }
        }
        return router.route(before, routing.consumer, routing.invocation, false, new Holder<>());
    }

    private static StateRouter<Object> router(
            Kind kind, String text, BitList<Invoker<Object>> left, Routing routing) {
        ConfigChangedEvent event = new ConfigChangedEvent("key", "dubbo", text, ConfigChangeType.MODIFIED);
        switch (kind) {
            case MESH:
                List<Map<String, Object>> documents = new ArrayList<>();
                new Yaml().loadAll(text).forEach(document -> documents.add(map(document)));
                StandardMeshRuleRouter<Object> mesh = new StandardMeshRuleRouter<>(routing.consumer);
                mesh.notify(left);
                mesh.onRuleChange(String.valueOf(routing.world.get("application")), documents);
                return mesh;
            case TAG:
                TagRuleParser.parse(text);
                TagStateRouter<Object> tag = new TagStateRouter<>(routing.consumer);
                tag.notify(left);
                tag.process(event);
                return tag;
            default:
                ConditionRuleParser.parse(text);
                ServiceStateRouter<Object> condition = new ServiceStateRouter<>(routing.consumer);
                condition.process(event);
                return condition;
        }
    }
}
