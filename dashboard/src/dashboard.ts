/**
 * The page as a whole: bridge → store → views.
 *
 * Messages change the store at once and ask for a frame; a frame draws what has changed since the last one.
 */

import { Connection } from "./connection/connection";
import { Backtests } from "./connection/backtests";
import type { Endpoint } from "./connection/endpoint";
import { KillSwitch } from "./connection/kill_switch";
import { Subscriptions } from "./connection/subscriptions";
import { FrameScheduler } from "./frame";
import { instrumentInAddress, setInstrumentInAddress } from "./page_address";
import type { InstrumentKey, Reply } from "./protocol/messages";
import { parseInstruments, parseMessage } from "./protocol/parse";
import { Store } from "./store/store";
import { BacktestsView } from "./views/backtests";
import { ChartView } from "./views/chart";
import { EquityView } from "./views/equity";
import { HeaderView } from "./views/header";
import { KillView } from "./views/kill";
import { LadderView } from "./views/ladder";
import { LatencyView } from "./views/latency";
import { LogView } from "./views/log";
import { ProcessesView } from "./views/processes";
import { RecordingView } from "./views/recording";
import { StageView } from "./views/stage";
import { TapeView } from "./views/tape";
import { TradingView } from "./views/trading";
import { VenuesView } from "./views/venues";
import type { View } from "./views/view";
import { WatchListView } from "./views/watch_list";

export class Dashboard {
  private readonly scheduler = new FrameScheduler(() => this.draw());
  private readonly store = new Store(() => this.scheduler.request());
  private readonly connection: Connection;
  private readonly subscriptions: Subscriptions;
  private readonly views: readonly View[];
  private readonly backtests: BacktestsView;
  /** The instrument to select once it is known. */
  private wanted = instrumentInAddress();

  constructor(private readonly endpoint: Endpoint) {
    this.connection = new Connection(endpoint.socketUrl, endpoint.protocols, {
      onOpen: () => this.onOpen(),
      onText: (text) => this.onText(text),
      onState: (state) => this.store.setConnection(state),
    });
    this.subscriptions = new Subscriptions((request) => this.connection.send(request));
    const requestFrame = () => this.scheduler.request();
    this.backtests = new BacktestsView(new Backtests(endpoint.socketUrl.replace(/^ws/, "http"), endpoint.headers));
    this.views = [
      new HeaderView(),
      new WatchListView({ onSelect: (key) => this.select(key), onScroll: requestFrame }),
      new StageView(),
      new ChartView(requestFrame),
      new LadderView(),
      new TapeView(),
      new VenuesView(),
      new LatencyView(),
      new ProcessesView(),
      new RecordingView(),
      new LogView(),
      new TradingView(),
      new EquityView(),
      new KillView(new KillSwitch(endpoint.socketUrl.replace(/^ws/, "http"), endpoint.token)),
    ];
  }

  start(): void {
    this.connection.start();
  }

  private onOpen(): void {
    this.subscriptions.onOpen();
    void this.backtests.load();
    this.loadInstruments().catch((error: unknown) => {
      // The list only adds names and ticks; quotes and trades bring the instruments themselves.
      this.store.note("page", `no instrument list: ${error instanceof Error ? error.message : String(error)}`, "warning");
    });
  }

  private async loadInstruments(): Promise<void> {
    const response = await fetch(this.endpoint.instrumentsUrl, { headers: this.endpoint.headers });
    if (!response.ok) throw new Error(`answer ${response.status}`);
    const instruments = parseInstruments(await response.text());
    if (!instruments.ok) throw new Error(instruments.reason);
    this.store.addInstruments(instruments.value);
    this.selectDefault();
  }

  private onText(text: string): void {
    const message = parseMessage(text);
    if (!message.ok) return this.store.refuse(message.reason);
    if ("op" in message.value) return this.onReply(message.value);
    this.store.apply(message.value);
    if (this.store.selected === null || this.wanted !== null) this.selectDefault();
  }

  private onReply(reply: Reply): void {
    this.subscriptions.onReply(reply);
    if (reply.op === "error") this.store.note("bridge", `${reply.message} (${reply.code})`, "warning");
  }

  private select(key: InstrumentKey): void {
    this.wanted = null;
    this.store.select(key);
    this.subscriptions.select(key);
    setInstrumentInAddress(key);
  }

  /** Selects what the address names as soon as it is known, and until then the first instrument that has data. */
  private selectDefault(): void {
    if (this.wanted !== null && this.store.instrument(this.wanted) !== undefined) return this.select(this.wanted);
    if (this.store.selected !== null) return;
    for (const { key, quote, lastTrade } of this.store.instruments) {
      if (quote === null && lastTrade === null) continue;
      this.store.select(key);
      this.subscriptions.select(key);
      return;
    }
  }

  private draw(): void {
    const changes = this.store.takeChanges();
    for (const view of this.views) view.render(this.store, changes);
  }
}
