// Starts GraphiQL on this installation's GraphQL. Subscriptions take the same headers, over a socket.
(() => {
  const place = document.getElementById("graphiql");
  const { address } = place.dataset;
  const socketAddress = new URL(address, location.href);
  socketAddress.protocol = socketAddress.protocol.replace("http", "ws");

  // graphql-transport-ws, for GraphiQL.createFetcher: one socket for each subscription.
  const wsClient = (headers) => ({
    subscribe(payload, sink) {
      const socket = new WebSocket(socketAddress, "graphql-transport-ws");
      const send = (message) => socket.send(JSON.stringify(message));
      let ended = false;
      const end = (how) => {
        if (!ended) {
          ended = true;
          how();
        }
      };
      socket.onopen = () => send({ type: "connection_init", payload: headers });
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "connection_ack") {
          send({ type: "subscribe", id: "1", payload });
        } else if (message.type === "next") {
          sink.next(message.payload);
        } else if (message.type === "error") {
          end(() => sink.error(message.payload));
        } else if (message.type === "complete") {
          end(() => sink.complete());
        }
      };
      socket.onclose = ({ reason }) => end(() => sink.error(new Error(reason || "The connection was closed")));
      return () => {
        ended = true;
        socket.close();
      };
    },
  });

  const fetcher = (params, options) => {
    const headers = options?.headers ?? {};
    return GraphiQL.createFetcher({ url: address, wsClient: wsClient(headers) })(params, options);
  };
  const element = React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: "# Set {\"Authorization\": \"Bearer uak_…\"} under Headers, below.\n{\n  users(first: 10) {\n    nodes { id name email }\n    pageInfo { hasNextPage endCursor }\n  }\n}\n",
    defaultEditorToolsVisibility: "headers",
    shouldPersistHeaders: false,
  });
  ReactDOM.createRoot(place).render(element);
})();
