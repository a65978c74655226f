import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.xml.XMLConstants;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignatureMethod;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSEncryptionPart;
import org.apache.ws.security.WSSConfig;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.components.crypto.Merlin;
import org.apache.ws.security.message.WSSecHeader;
import org.apache.ws.security.message.WSSecSignature;
import org.apache.ws.security.message.WSSecTimestamp;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * What Java's stacks sign, and what they say of what we sign: WSS4J, Apache Santuario and the JDK's own XML signatures.
 *
 * Started with PKCS#12 files, `ALIAS=FILE`, whose password is "oracle". Each line of input is a question, `VERB ALIAS
 * ARGUMENT... BASE64`; each line of output its answer: `ok BASE64`, or `no REASON`.
 */
public class Oracle {
    private static final char[] PASSWORD = "oracle".toCharArray();
    private static final String DS = XMLSignature.XMLNS;
    private static final String WSU =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

    private final KeyStore store = KeyStore.getInstance("PKCS12");
    private final Merlin crypto = new Merlin();

    private Oracle(String[] files) throws Exception {
        store.load(null, PASSWORD);
        for (String file : files) {
            String[] named = file.split("=", 2);
            KeyStore one = KeyStore.getInstance("PKCS12");
            try (FileInputStream in = new FileInputStream(named[1])) {
                one.load(in, PASSWORD);
            }
            String entry = one.aliases().nextElement();
            store.setKeyEntry(named[0], one.getKey(entry, PASSWORD), PASSWORD, one.getCertificateChain(entry));
        }
        crypto.setKeyStore(store);
        crypto.setTrustStore(store);
    }

    public static void main(String[] arguments) throws Exception {
        WSSConfig.init();
        org.apache.xml.security.Init.init();
        Oracle oracle = new Oracle(arguments);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            System.out.println(oracle.answered(line));
            System.out.flush();
        }
    }

    private String answered(String line) {
        try {
            String[] words = line.split(" ");
            byte[] octets = Base64.getDecoder().decode(words[words.length - 1]);
            return "ok " + Base64.getEncoder().encodeToString(done(words, octets));
        } catch (Exception failure) {
            StringBuilder reasons = new StringBuilder();
            for (Throwable one = failure; one != null; one = one.getCause()) {
                reasons.append(' ').append(String.valueOf(one).replace('\n', ' '));
            }
            return "no" + reasons;
        }
    }

    private byte[] done(String[] words, byte[] octets) throws Exception {
        Document document = parsed(octets);
        String alias = words[1];
        switch (words[0]) {
            case "wss4j-sign":
                return written(wss4jSigned(document, alias, Integer.parseInt(words[2]), words[3], words[4]));
            case "wss4j-verify":
                wss4jVerified(document);
                return new byte[0];
            case "jdk-sign":
                return written(jdkSigned(document, alias, words[2], words[3], words[4]));
            case "jdk-verify":
                jdkVerified(document, alias);
                return new byte[0];
            case "santuario-sign":
                return written(santuarioSigned(document, alias, words[2], words[3], words[4]));
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    /** WS-Security as WSS4J makes it: a Timestamp, and a signature over it and the Body. */
    private Document wss4jSigned(Document document, String alias, int form, String algorithm, String digest)
            throws Exception {
        WSSecHeader header = new WSSecHeader();
        header.insertSecurityHeader(document);
        WSSecTimestamp timestamp = new WSSecTimestamp();
        timestamp.setTimeToLive(240);
        timestamp.build(document, header);
        WSSecSignature signature = new WSSecSignature();
        signature.setUserInfo(alias, new String(PASSWORD));
        signature.setKeyIdentifierType(form);
        signature.setSignatureAlgorithm(algorithm);
        signature.setDigestAlgo(digest);
        signature.setSigCanonicalization(WSConstants.C14N_EXCL_OMIT_COMMENTS);
        String soap = document.getDocumentElement().getNamespaceURI();
        List<WSEncryptionPart> parts = new ArrayList<>();
        parts.add(new WSEncryptionPart("Body", soap, ""));
        parts.add(new WSEncryptionPart("Timestamp", WSU, ""));
        signature.setParts(parts);
        return signature.build(document, crypto, header);
    }

    private void wss4jVerified(Document document) throws Exception {
        WSSecurityEngine engine = new WSSecurityEngine();
        WSSConfig config = WSSConfig.getNewInstance();
        // The Basic Security Profile of 2010 knows SHA-1 and RSA only.
        config.setWsiBSPCompliant(false);
        engine.setWssConfig(config);
        Element security = (Element) document.getElementsByTagNameNS(WSConstants.WSSE_NS, "Security").item(0);
        if (engine.processSecurityHeader(security, null, crypto, null).size() < 2) {
            throw new IllegalStateException("neither a signature nor a time stamp");
        }
    }

    /** An enveloped signature as the JDK's guide makes it, with the subject beside the certificate. */
    private Document jdkSigned(Document document, String alias, String algorithm, String c14n, String transform)
            throws Exception {
        XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM", "XMLDSig");
        List<Transform> transforms = new ArrayList<>();
        transforms.add(factory.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null));
        if (!transform.equals("none")) {
            transforms.add(factory.newTransform(transform, (TransformParameterSpec) null));
        }
        Reference reference = factory.newReference(
            "", factory.newDigestMethod("http://www.w3.org/2001/04/xmlenc#sha256", null), transforms, null, null);
        SignedInfo info = factory.newSignedInfo(
            factory.newCanonicalizationMethod(c14n, (C14NMethodParameterSpec) null),
            factory.newSignatureMethod(algorithm, null), List.of(reference));
        KeyInfoFactory infos = factory.getKeyInfoFactory();
        X509Certificate certificate = (X509Certificate) store.getCertificate(alias);
        KeyInfo keyInfo = infos.newKeyInfo(List.of(infos.newX509Data(
            List.of(certificate.getSubjectX500Principal().getName(), certificate))));
        factory.newXMLSignature(info, keyInfo).sign(
            new DOMSignContext(store.getKey(alias, PASSWORD), document.getDocumentElement()));
        return document;
    }

    private void jdkVerified(Document document, String alias) throws Exception {
        identified(document.getDocumentElement());
        NodeList signatures = document.getElementsByTagNameNS(DS, "Signature");
        DOMValidateContext context =
            new DOMValidateContext(store.getCertificate(alias).getPublicKey(), signatures.item(0));
        XMLSignature signature = XMLSignatureFactory.getInstance("DOM", "XMLDSig").unmarshalXMLSignature(context);
        if (!signature.validate(context)) {
            throw new IllegalStateException("not valid");
        }
    }

    private Document santuarioSigned(Document document, String alias, String algorithm, String c14n, String transform)
            throws Exception {
        org.apache.xml.security.signature.XMLSignature signature =
            new org.apache.xml.security.signature.XMLSignature(document, "", algorithm, c14n);
        document.getDocumentElement().appendChild(signature.getElement());
        org.apache.xml.security.transforms.Transforms transforms =
            new org.apache.xml.security.transforms.Transforms(document);
        transforms.addTransform(Transform.ENVELOPED);
        if (!transform.equals("none")) {
            transforms.addTransform(transform);
        }
        signature.addDocument("", transforms, "http://www.w3.org/2001/04/xmlenc#sha256");
        signature.addKeyInfo((X509Certificate) store.getCertificate(alias));
        signature.sign(store.getKey(alias, PASSWORD));
        return document;
    }

    private static void identified(Element element) {
        if (element.hasAttributeNS(WSU, "Id")) {
            element.setIdAttributeNS(WSU, "Id", true);
        }
        NodeList below = element.getChildNodes();
        for (int index = 0; index < below.getLength(); index++) {
            if (below.item(index) instanceof Element) {
                identified((Element) below.item(index));
            }
        }
    }

    private static Document parsed(byte[] octets) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
        return factory.newDocumentBuilder().parse(new ByteArrayInputStream(octets));
    }

    private static byte[] written(Document document) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(out));
        return out.toByteArray();
    }
}
