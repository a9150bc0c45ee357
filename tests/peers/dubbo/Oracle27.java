import java.util.List;
import org.apache.dubbo.common.config.configcenter.ConfigChangeType;
import org.apache.dubbo.common.config.configcenter.ConfigChangedEvent;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.cluster.Router;
import org.apache.dubbo.rpc.cluster.router.condition.config.ServiceRouter;
import org.apache.dubbo.rpc.cluster.router.condition.config.model.ConditionRuleParser;
import org.apache.dubbo.rpc.cluster.router.tag.TagRouter;
import org.apache.dubbo.rpc.cluster.router.tag.model.TagRuleParser;

/** Runs the routers of Dubbo 2.7. */
public class Oracle27 extends Worlds {
    private Oracle27() {
        super("dubbo");
    }

    public static void main(String[] arguments) throws Exception {
        new Oracle27().serve();
    }

    @Override
    List<Invoker<Object>> route(Kind kind, String text, List<Invoker<Object>> left, Routing routing)
            throws Exception {
        return router(kind, text, routing).route(left, routing.consumer, routing.invocation);
    }

    private static Router router(Kind kind, String text, Routing routing) throws Exception {
        ConfigChangedEvent event = new ConfigChangedEvent("key", "dubbo", text, ConfigChangeType.MODIFIED);
        if (kind == Kind.TAG) {
            TagRuleParser.parse(text);
            TagRouter tag = new TagRouter(routing.consumer);
            tag.process(event);
            return tag;
        }
        ConditionRuleParser.parse(text);
        ServiceRouter condition = new ServiceRouter(routing.consumer);
        condition.process(event);
        return condition;
    }
}
