// The page of the fleet: what each device measures, live, and its interval to be set.

import "../../../page/page.css";
import "./style.css";
import { badge } from "../../../page/badge.ts";
import { Network } from "../../../page/network.ts";
import { fleet as fleetOf, type Fleet } from "./api/telemetry.ts";
import { connect } from "./api/wirecall.ts";
import { Dashboard } from "./dashboard.ts";
import { Pause } from "./pause.ts";

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const network = new Network();
const connection = connect(new URL("rpc", location.href.replace(/^http/, "ws")), { WebSocket: network.WebSocket });
badge(connection, network, element("connection"), element("cut"));
const fleet = fleetOf(connection);
const dashboard = new Dashboard(element("devices"), element<HTMLTemplateElement>("device"), element("rate"), fleet);
watch(fleet, dashboard, new Pause(element("pause")));

/**
 * Shows what becomes of the devices. While the page is paused the stream is not read:
 * the server sends what fits its window and keeps only the latest of each device.
 */
async function watch(fleet: Fleet, dashboard: Dashboard, pause: Pause): Promise<void> {
  while (connection.state.phase !== "closed") {
    try {
      const { now, changes } = await fleet.watch();
      for (const status of now ?? []) dashboard.show(status);
      for await (const status of changes) {
        dashboard.show(status);
        if (pause.on) await pause.over();
      }
    } catch {
      await connected(); // the server is another: watch it anew
    }
  }
}

/** Resolves when the connection is established, or closed. */
function connected(): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (connection.state.phase !== "connected" && connection.state.phase !== "closed") return;
      undo();
      resolve();
    };
    const undo = connection.subscribe(look);
    look();
  });
}
