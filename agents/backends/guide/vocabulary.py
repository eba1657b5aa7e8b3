"""Words that say how something is asked, and not what; folded, as search compares them."""

# ruff: noqa: RUF001 - Cyrillic is meant

from conversations.search.words import fold


def _words(text: str) -> frozenset[str]:
    return frozenset(fold(text).split())


# Of English, German, French, Spanish, Italian, Portuguese, Dutch and Russian.
EMPTY = _words(
    """
    a about after again against all also am an and any anyone anybody anything are as at be because
    been before being below between both but by can could did do does doing don done during each
    either else ever every few find for from further get give go going had has have having he her
    here hers him his how however i if in into is it its itself just know last less let like look
    made make many may me might mine more most much must my no nor not of off ok on once one only or
    other our ours out over own per please really regarding s same say said saying says search see
    she should show since so some somebody someone something still such t talk talked talking tell
    than thank that the their theirs them then there these they thing things this those through to
    told too under until up us use very was way we were what whatever when where which while who
    whom whose why will with within without would yes yet you your yours mention mentioned mentions
    discuss discussed discussion discussions happen happened happening happens tried
    think thought anywhere somewhere know knows known want wants need explain describe summarize
    summarise summary ask asked asks answer answered topic topics subject
    aber als am an auch auf aus bei bin bis bist da damit dann das dass dein dem den der des die
    dies
    diese diesem diesen dieser dieses doch du durch ein eine einem einen einer eines er es etwas fur
    gab gegen gesagt gesprochen gibt habe haben hat hatte ich ihr ihre im in ist ja jede jeder kann
    kein keine konnen mal man mehr mein mich mir mit nach nicht noch nun nur ob oder ohne sagt sagte
    schon sein seine sich sie sind so soll sonst uber um und uns unser unter vom von vor wann war
    waren warum was weil welche welchem welchen welcher welches wem wen wenn wer werden wie wir wird
    wo worden wurde wurden zeig zeige zu zum zur zwischen bitte finde suche
    ai au aux avait avec avons c ce ces cet cette ceux comme comment d dans de des dit du elle elles
    en entre est et etait ete etre eu fait il ils j je l la le les leur leurs lui m mais me meme mes
    moi mon n ne nos notre nous ont ou par parle pas plus pour pourquoi qu quand que quel quelle
    quelles quels qui quoi sa sans se ses si son sont sous sur ta te tes toi ton tous tout tres tu
    un
    une va vos votre vous y cherche montre trouve
    al algo ante antes como con contra cual cuales cuando de del desde dice dicho dijo dijeron donde
    e el ella ellas ellos en entre era eran es esa ese eso esta estaba estan este esto fue fueron ha
    hablo han hasta hay la las le les lo los mas mi mis mucho muy nada ni nos o para pero por porque
    que quien quienes se ser si sido sin sobre son su sus tambien te tiene todo todos tu un una uno
    unos y ya busca muestra
    abbiamo agli ai alla alle allo anche che chi ci come cosa cui da dai dal dalla degli dei del
    della delle detto di dove e ed era gli ha hanno ho i il in io l lei li lo loro lui ma mi ne nei
    nel nella non o per perche piu quale quali quando quello questa queste questi questo se sei si
    sono stato su sua sui sul sulla suo ti tra tutti un una uno vi voi
    ao aos as ate com da das disse do dos ela ele em entao era essa esse esta este eu foi foram isso
    isto ja la mais mas meu minha muito na nao nas no nos o onde os ou para pela pelo por porque
    qual quais quando que quem se sem ser seu sua tem ter todos um uma voce
    aan als bij dan dat de deze die dit door dus een en er gezegd had heb hebben heeft het hij hoe
    ik in is je kan maar me met mij mijn naar niet nog of om ook op over te tot uit van veel voor
    waar waarom wanneer was wat we wel werd wie wij wordt ze zei zij zijn zo zonder
    far soon people person take taken takes took part
    current compare versus vs between
    status state send sends sent passiert passierte geschah passe pasa paso successo aconteceu
    summarized summarised overview gist recap zusammenfassung fasse zusammen resume resumen resumer
    riassumi resumo samenvatting
    а без был была были было быть в вам вас все вы где говорил говорила говорили да для до его ее
    если есть же за и из или им их как какая какие какой когда кто ли мне мы на нам нас не него нет
    ни но о об он она они от по почему про с сказал сказала сказали сколько так там то у уже что
    чтобы это этот я
    """
)
# Who asks so wants to know of a conversation as a whole.
SUMMARY = _words(
    """
    summarize summarise summary overview gist recap status zusammenfassung zusammen resume resumen
    resumer riassumi resumo samenvatting
    """
)
# What stands for something that was said before.
POINTERS = _words(
    """
    it its that this those these they them their he she him her his there one ones same
    es das dies diese dieser er sie ihn ihm sein ihre dort
    ca cela ceci il elle ils elles eso esto ella ellos lo questo quello isso isto het dit
    more mehr plus mas piu mais else further again instead
    """
)
# With a single word beside them they are about what was said before: “Who signs?”
ASKING = _words("why how when who where warum wie wann wer wo pourquoi quand comment quien cuando")
GOING_ON = _words("and but also und aber auch et mais aussi y pero e ma en maar и а")
# The record itself.
CONVERSATIONS = _words(
    """
    conversation conversations session sessions chat chats dialog dialogs dialogue
    dialogues record records recorded recording recordings
    gesprach gesprache gesprachen unterhaltung unterhaltungen sitzung sitzungen
    discussion discussions conversacion conversaciones sesion sesiones
    conversazione conversazioni sessione sessioni conversa conversas gesprek gesprekken
    разговор разговоры разговоров беседа беседы бесед
    """
)
MESSAGES = _words(
    """
    message messages nachricht nachrichten mensaje mensajes messaggio messaggi mensagem mensagens
    bericht berichten сообщение сообщения сообщений
    """
)
AGENTS = _words("agent agents agenten agente agentes agenti bot bots")
TOKENS = _words("token tokens")
MONEY = _words(
    """
    cost costs costing spend spent spending expensive costly price money dollar dollars usd cheapest
    kosten kostet kostete gekostet teuer cout coute couter couts costo costos cuesta custo custou
    """
)
LATEST = _words(
    """
    latest last newest recent recently list letzte letzten letzter neueste neuesten neueste
    derniere dernier dernieres derniers recente recentes ultima ultimas ultimo ultimos ultime
    ultimi laatste nieuwste
    """
)
OLDEST = _words("first oldest earliest erste ersten premiere premier primera primer")
MOST = _words(
    "most highest biggest largest top busiest longest expensive costliest meisten teuerste"
)
LENGTH = _words("long longest biggest largest busiest")
COUNTING = (
    "how many",
    "how much",
    "number of",
    "count",
    "total",
    "in total",
    "statistics",
    "stats",
    "figures",
    "usage",
    "wie viele",
    "wie viel",
    "wieviel",
    "wieviele",
    "anzahl",
    "combien",
    "cuantos",
    "cuantas",
    "cuanto",
    "cuanta",
    "quanti",
    "quante",
    "quanto",
    "quantos",
    "quantas",
    "hoeveel",
)
STATUSES = {
    "ERROR": "failed failing failure failures error errors erroneous broken fehlgeschlagen fehler",
    "COMPLETED": "completed complete finished done ended successful succeeded abgeschlossen",
    "ACTIVE": "active running open live ongoing unfinished currently aktiv laufende",
    "INTERRUPTED": "interrupted cancelled canceled aborted stopped abgebrochen unterbrochen",
}
STATUS_OF = {word: status for status, words in STATUSES.items() for word in words.split()}
GREETINGS = _words(
    """
    hello hi hey hallo hola salut bonjour ciao ola moin servus greetings yo howdy good morning
    afternoon evening day guten tag morgen abend buenos dias buongiorno test ping thanks thank thx
    danke merci gracias grazie obrigado guide everyone there you
    привет здравствуйте спасибо
    """
)
ABOUT_ITSELF = (
    "who are you",
    "what are you",
    "what can you do",
    "what can i ask",
    "what do you do",
    "what can i do",
    "how do you work",
    "how does this work",
    "can you help",
    "help me",
    "help",
    "wer bist du",
    "was kannst du",
    "hilfe",
    "qui es tu",
    "que peux tu",
    "aide",
    "quien eres",
    "que puedes hacer",
    "ayuda",
    "chi sei",
    "aiuto",
)
UNSPACED_GREETINGS = ("你好", "您好", "こんにちは", "안녕", "สวัสดี")
