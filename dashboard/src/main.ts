import "./style/tokens.css";
import "./style/layout.css";
import "./style/tables.css";
import "./style/watch.css";
import "./style/stage.css";
import "./style/trading.css";
import "./style/backtests.css";
import { endpointOf } from "./connection/endpoint";
import { Dashboard } from "./dashboard";

new Dashboard(endpointOf(location.href)).start();
